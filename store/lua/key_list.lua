-- All stored API keys. Returns: JSON and time of the last use in ms ('' for none), one after the other.
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', api_keys_key())) do
  local fields = redis.call('HMGET', api_key_key(id), 'record', 'last_used_at')
  if fields[1] then
    found[#found + 1] = fields[1]
    found[#found + 1] = fields[2] or ''
  end
end
return found
