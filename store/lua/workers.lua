-- The live workers. Returns: their JSON.
local at = whole(now_ms())
redis.call('ZREMRANGEBYSCORE', workers_key(), '-inf', '(' .. at)
local found = {}
for _, name in ipairs(redis.call('ZRANGE', workers_key(), 0, -1)) do
  local json = redis.call('GET', worker_key(name))
  if json then found[#found + 1] = json end
end
return found
