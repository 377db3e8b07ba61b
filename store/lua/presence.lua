-- Say that a worker lives, or (lifetime 0) that it is gone. ARGV: name, JSON, lifetime in ms. Returns: 1.
local name, lifetime = ARGV[1], tonumber(ARGV[3])
if lifetime == 0 then
  redis.call('ZREM', workers_key(), name)
  redis.call('DEL', worker_key(name))
else
  redis.call('ZADD', workers_key(), whole(now_ms() + lifetime), name)
  redis.call('SET', worker_key(name), ARGV[2], 'PX', whole(lifetime))
end
return 1
