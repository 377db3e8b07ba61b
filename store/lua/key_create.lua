-- Store an API key. ARGV: key id, JSON. Returns: 1. Storing it again changes nothing.
redis.call('HSETNX', api_key_key(ARGV[1]), 'record', ARGV[2])
redis.call('SADD', api_keys_key(), ARGV[1])
return 1
