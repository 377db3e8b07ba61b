-- Delete one version of a dataset, or all ('').
-- Returns: 'missing'; 'used' and the jobs that are not final and need it; or 'deleted', the numbers and the records.
local owner, name, version = ARGV[1], ARGV[2], ARGV[3]

local key = dataset_key(owner, name)
local numbers = {}
for _, each in ipairs(redis.call('HKEYS', key)) do
  local number = string.match(each, '^version:(%d+)$')
  if number and (version == '' or number == version) then numbers[#numbers + 1] = number end
end
if #numbers == 0 then return {'missing'} end

local needing = {}
for _, number in ipairs(numbers) do
  for _, id in ipairs(redis.call('SMEMBERS', dataset_jobs_key(owner, name, number))) do
    if needs_dataset(id) then
      needing[#needing + 1] = id
    else
      redis.call('SREM', dataset_jobs_key(owner, name, number), id)
    end
  end
end
if #needing > 0 then
  table.sort(needing)
  return {'used', needing}
end

local records = {}
for _, number in ipairs(numbers) do
  records[#records + 1] = redis.call('HGET', key, 'version:' .. number)
  redis.call('DECRBY', stored_bytes_key(owner), redis.call('HGET', key, 'bytes:' .. number))
  redis.call('HDEL', key, 'version:' .. number, 'upload:' .. number, 'bytes:' .. number)
  redis.call('DEL', dataset_jobs_key(owner, name, number))
end
local newest = 0
for _, each in ipairs(redis.call('HKEYS', key)) do
  newest = math.max(newest, tonumber(string.match(each, '^version:(%d+)$') or 0))
end
if newest > 0 then
  redis.call('HSET', key, 'newest', newest)
else
  redis.call('HDEL', key, 'newest')
  redis.call('ZREM', datasets_key(owner), name)
end
return {'deleted', numbers, records}
