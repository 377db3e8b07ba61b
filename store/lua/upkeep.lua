-- One sweep: give back jobs whose worker fell silent, forget deleted jobs, count missing bells. Sweeps come `every_ms`
-- at most, and a bell may be missing for `patience` of them.
-- Returns: ids given back, then for each of the wake queues its missing bells that are due to be rung, then the changes of
-- status.
local lease_ms, every_ms, patience = ARGV[1], ARGV[2], ARGV[3]
lease_ms, every_ms, patience = tonumber(lease_ms), tonumber(every_ms), tonumber(patience)

local at = now_ms()
local last = tonumber(redis.call('HGET', upkeep_key(), 'last_sweep_at') or '0')
if at - last < every_ms then return {{}, {}, {}} end
redis.call('HSET', upkeep_key(), 'last_sweep_at', whole(at))
-- A long gap between sweeps means the store or its clients were away: workers could not speak either.
-- They get one whole lease to come back.
if at - last > math.max(lease_ms / 2, 3 * every_ms) then redis.call('HSET', upkeep_key(), 'hold_until', whole(at + lease_ms)) end

local given_back, changes = {}, {}
if at >= tonumber(redis.call('HGET', upkeep_key(), 'hold_until') or '0') then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases_key(), '-inf', whole(at), 'LIMIT', 0, 100)) do
    if HELD[field(id, 'status')] then
      lose(id, 'worker_lost', function(losses)
        return cjson.encode({code = 'worker_lost', title = 'Worker lost',
          detail = 'the worker fell silent in each of ' .. losses .. ' attempts; the last was ' .. field(id, 'worker')})
      end)
    else
      redis.call('ZREM', leases_key(), id)
    end
    given_back[#given_back + 1] = id
    changes[#changes + 1] = changed
    changed = ''
  end
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', expiring_key(), '-inf', whole(at), 'LIMIT', 0, 1000)) do
  redis.call('ZREM', expiring_key(), member)
  local id, owner = string.match(member, '^([^|]*)|(.*)$')
  forget(id, owner)
end

-- A job that was just given back need not wait until its bell counts as lost.
if #given_back > 0 then patience = 1 end
local due = {}
for _, wake_queue in ipairs(wake_queues()) do
  local missing = bells_missing(wake_queue.lanes, wake_queue.name)
  local sweeps = 'missing:' .. wake_queue.name
  if missing > 0 and redis.call('HINCRBY', upkeep_key(), sweeps, 1) >= patience then
    due[#due + 1] = missing
    redis.call('HDEL', upkeep_key(), sweeps)
  else
    due[#due + 1] = 0
    if missing <= 0 then redis.call('HDEL', upkeep_key(), sweeps) end
  end
end
return {given_back, due, changes}
