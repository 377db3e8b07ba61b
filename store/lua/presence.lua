-- Say that a worker lives, or (lifetime 0) that it is gone. Returns: 1.
local name, record, lifetime_ms = ARGV[1], ARGV[2], ARGV[3]
lifetime_ms = tonumber(lifetime_ms)
if lifetime_ms == 0 then
  redis.call('ZREM', workers_key(), name)
  redis.call('DEL', worker_key(name))
else
  redis.call('ZADD', workers_key(), whole(now_ms() + lifetime_ms), name)
  redis.call('SET', worker_key(name), record, 'PX', whole(lifetime_ms))
end
return 1
