-- An owner's uploaded weights, by name, after a name ('': from the first).
-- Returns: the record of each, and whether there are more.
local owner, after, limit = ARGV[1], ARGV[2], ARGV[3]
limit = tonumber(limit)

local names, found = redis.call('HKEYS', weights_key(owner)), {}
table.sort(names)
for _, name in ipairs(names) do
  if name > after then
    if #found == limit then return {found, 1} end
    found[#found + 1] = redis.call('HGET', weights_key(owner), name)
  end
end
return {found, 0}
