-- Give uploaded weights their name, in place of what had it and of what was set aside for them. `sha256` tells uploads
-- apart.
-- Returns: 'created' and the record that had the name, or ''; 'unchanged' and its record; or 'full' and the bytes
--          otherwise taken.
local owner, name, token, sha256, record, bytes, most_bytes =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local had, had_bytes = redis.call('HGET', weights_key(owner), name), 0
if had then
  local known = cjson.decode(had)
  if known.sha256 == sha256 then
    redis.call('HDEL', reserved_bytes_key(owner), token)
    return {'unchanged', had}
  end
  had_bytes = known.stored_bytes
end
local taken = taken_bytes(owner, token) - had_bytes
if taken + tonumber(bytes) > tonumber(most_bytes) then return {'full', taken} end
redis.call('HDEL', reserved_bytes_key(owner), token)
redis.call('HSET', weights_key(owner), name, record)
redis.call('INCRBY', stored_bytes_key(owner), whole(tonumber(bytes) - had_bytes))
return {'created', had or ''}
