-- Forget an API key, at once. ARGV: key id. Returns: 1 if it was stored, else 0.
redis.call('DEL', rate_key(ARGV[1]))
redis.call('SREM', api_keys_key(), ARGV[1])
return redis.call('DEL', api_key_key(ARGV[1]))
