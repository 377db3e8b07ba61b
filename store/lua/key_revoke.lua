-- Forget an API key, at once. Returns: 1 if it was stored, else 0.
local id = ARGV[1]
redis.call('DEL', rate_key(id))
redis.call('SREM', api_keys_key(), id)
return redis.call('DEL', api_key_key(id))
