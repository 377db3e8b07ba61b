-- One sweep: give back jobs whose worker fell silent, forget deleted jobs, drop lost ones, count missing bells. Sweeps
-- come `every_ms` at most, and a bell may be missing for `patience` of them.
-- Returns: ids given back, then for each of the wake queues its missing bells that are due to be rung, then the changes of
-- status, then ids of lost jobs that may still be in their owner's lists.
local lease_ms, every_ms, patience = ARGV[1], ARGV[2], ARGV[3]
lease_ms, every_ms, patience = tonumber(lease_ms), tonumber(every_ms), tonumber(patience)
local AUDITED_AT_ONCE, LOST_AT_ONCE = 200, 100

local at = now_ms()
-- What was remembered as an instant, if the clock can have shown it: one further ahead was written before it was set back.
local function remembered(name, furthest)
  local instant = tonumber(redis.call('HGET', upkeep_key(), name) or '0') or 0
  return instant <= furthest and instant or 0
end

local last = remembered('last_sweep_at', at)
if at - last < every_ms then return {{}, {}, {}, {}} end
redis.call('HSET', upkeep_key(), 'last_sweep_at', whole(at))
-- A long gap between sweeps means the store or its clients were away: workers could not speak either.
-- They get one whole lease to come back.
if at - last > math.max(lease_ms / 2, 3 * every_ms) then redis.call('HSET', upkeep_key(), 'hold_until', whole(at + lease_ms)) end

-- Leases beyond the longest there can be get that: a worker that lives renews its own. So do workers' entries, which last
-- three beats, and beats are shorter than a lease.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases_key(), '(' .. whole(at + lease_ms), '+inf')) do
  local until_at = at + number(id, 'lease_ms', lease_ms)
  if tonumber(redis.call('ZSCORE', leases_key(), id)) > until_at then redis.call('ZADD', leases_key(), whole(until_at), id) end
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', workers_key(), '(' .. whole(at + 3 * lease_ms), '+inf')) do
  redis.call('ZADD', workers_key(), whole(at + lease_ms), name)
end

local given_back, changes = {}, {}
if at >= remembered('hold_until', at + lease_ms) then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases_key(), '-inf', whole(at), 'LIMIT', 0, 100)) do
    if HELD[field(id, 'status')] and exists(id) then
      lose(id, 'worker_lost', function(losses)
        return cjson.encode({code = 'worker_lost', title = 'Worker lost',
          detail = 'the worker fell silent in each of ' .. losses .. ' attempts; the last was ' .. field(id, 'worker')})
      end)
      given_back[#given_back + 1] = id
      changes[#changes + 1] = changed
      changed = ''
    else
      redis.call('ZREM', leases_key(), id)
    end
  end
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', expiring_key(), '-inf', whole(at), 'LIMIT', 0, 1000)) do
  redis.call('ZREM', expiring_key(), member)
  local id, owner = string.match(member, '^([^|]*)|(.*)$')
  forget(id, owner)
end

-- Files whose writer was killed before the job was there.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', staged_key(), '-inf', whole(at), 'LIMIT', 0, 100)) do
  redis.call('ZREM', staged_key(), id)
  if redis.call('EXISTS', job_key(id)) == 0 then redis.call('SADD', trash_key(), id) end
end

-- Some of all jobs each time: one that nobody asks for may have lost its record, too.
local audited = redis.call('HGET', upkeep_key(), 'audited')
local rows = redis.call('ZRANGEBYSCORE', index_key('*'), audited and '(' .. audited or '-inf', '+inf', 'WITHSCORES',
  'LIMIT', 0, AUDITED_AT_ONCE)
for i = 1, #rows, 2 do
  if not exists(rows[i]) then drop(rows[i]) end
end
if #rows == 2 * AUDITED_AT_ONCE then
  redis.call('HSET', upkeep_key(), 'audited', rows[#rows])
else
  redis.call('HDEL', upkeep_key(), 'audited')
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
return {given_back, due, changes, redis.call('SRANDMEMBER', lost_key(), LOST_AT_ONCE)}
