-- The newest versions of an owner's datasets, by name, after a name ('': from the first).
-- Returns: number and record of each, and whether there are more.
local owner, after, limit = ARGV[1], ARGV[2], ARGV[3]
limit = tonumber(limit)

local from = after == '' and '-' or '(' .. after
local names = redis.call('ZRANGEBYLEX', datasets_key(owner), from, '+', 'LIMIT', 0, limit + 1)
local found = {}
for i = 1, math.min(limit, #names) do
  local key = dataset_key(owner, names[i])
  local newest = redis.call('HGET', key, 'newest')
  found[#found + 1] = newest
  found[#found + 1] = redis.call('HGET', key, 'version:' .. newest)
end
return {found, #names > limit and 1 or 0}
