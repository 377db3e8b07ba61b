-- Give back what was set aside for an upload.
local owner, token = ARGV[1], ARGV[2]

redis.call('HDEL', reserved_bytes_key(owner), token)
return 1
