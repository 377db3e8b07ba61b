-- Store an API key, as JSON. Returns: 1. Storing it again changes nothing.
local id, record = ARGV[1], ARGV[2]
redis.call('HSETNX', api_key_key(id), 'record', record)
redis.call('SADD', api_keys_key(), id)
return 1
