-- One sweep: give back jobs whose worker fell silent, forget deleted jobs, count missing bells.
-- ARGV: lease_ms, shortest time between sweeps in ms, sweeps a bell may be missing, then bells, lane count, lanes…, …
-- Returns: ids given back, then for each bells its missing bells that are due to be rung, then the changes of status.
local lease_ms, every_ms, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
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
local due, i = {}, 4
while i <= #ARGV do
  local bells, lanes = ARGV[i], {}
  for j = 1, tonumber(ARGV[i + 1]) do lanes[j] = ARGV[i + 1 + j] end
  i = i + 2 + #lanes
  local missing = bells_missing(lanes, bells)
  local sweeps = 'missing:' .. bells
  if missing > 0 and redis.call('HINCRBY', upkeep_key(), sweeps, 1) >= patience then
    due[#due + 1] = missing
    redis.call('HDEL', upkeep_key(), sweeps)
  else
    due[#due + 1] = 0
    if missing <= 0 then redis.call('HDEL', upkeep_key(), sweeps) end
  end
end
return {given_back, due, changes}
