-- All versions of a dataset, in no order.
-- Returns: number and record of each.
local owner, name = ARGV[1], ARGV[2]

local all, found = redis.call('HGETALL', dataset_key(owner, name)), {}
for i = 1, #all, 2 do
  local number = string.match(all[i], '^version:(%d+)$')
  if number then
    found[#found + 1] = number
    found[#found + 1] = all[i + 1]
  end
end
return found
