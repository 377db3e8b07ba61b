-- Delete uploaded weights.
-- Returns: their record, or nil where there are none.
local owner, name = ARGV[1], ARGV[2]

local record = redis.call('HGET', weights_key(owner), name)
if not record then return false end
redis.call('HDEL', weights_key(owner), name)
redis.call('DECRBY', stored_bytes_key(owner), whole(cjson.decode(record).stored_bytes))
return record
