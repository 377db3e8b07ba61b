-- Make an upload the next version of a dataset, in place of what was set aside for it. The numbers only grow: that of a
-- deleted version never comes again.
-- `upload` tells uploads apart: where the newest version is the same one, that stays the newest.
-- Returns: 'created' and the number; 'unchanged', the number and its record; or 'full' and the bytes otherwise taken.
local owner, name, token, upload, record, bytes, most_bytes =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local key = dataset_key(owner, name)
local newest = redis.call('HGET', key, 'newest')
if newest and redis.call('HGET', key, 'upload:' .. newest) == upload then
  redis.call('HDEL', reserved_bytes_key(owner), token)
  return {'unchanged', tonumber(newest), redis.call('HGET', key, 'version:' .. newest)}
end
local taken = taken_bytes(owner, token)
if taken + tonumber(bytes) > tonumber(most_bytes) then return {'full', taken} end
redis.call('HDEL', reserved_bytes_key(owner), token)
local number = redis.call('HINCRBY', key, 'last', 1)
redis.call('HSET', key, 'newest', number, 'version:' .. number, record, 'upload:' .. number, upload,
  'bytes:' .. number, bytes)
redis.call('INCRBY', stored_bytes_key(owner), bytes)
redis.call('ZADD', datasets_key(owner), 0, name)
return {'created', number}
