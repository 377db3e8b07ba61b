-- One version of a dataset, '' for the newest.
-- Returns: its number and its record, or nil.
local owner, name, version = ARGV[1], ARGV[2], ARGV[3]

local key = dataset_key(owner, name)
if version == '' then version = redis.call('HGET', key, 'newest') end
local record = version and redis.call('HGET', key, 'version:' .. version)
return record and {tonumber(version), record} or false
