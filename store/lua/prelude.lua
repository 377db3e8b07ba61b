-- What every script begins with. `NS`, `ALLOWED`, `HELD`, `TERMINAL`, `wake_queues`, `wake_queue_of` and the
-- `<kind>_key` builders are put before this text by store/scripts.py, from jobs/states.py, store/lanes.py and
-- store/keys.py. A script names its arguments in its first statement, by which names store/calls.py hands them over.

local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

local function now_ms()
  return math.floor(now_us() / 1000)
end

-- Numbers beyond 2^31 would be written as 1.7e+12 without this.
local function whole(n)
  return string.format('%.0f', n)
end

local function field(id, name)
  return redis.call('HGET', job_key(id), name) or ''
end

-- Whether there is such a job and this owner ('*': everybody) sees it.
local function visible(id, owner)
  local whose = redis.call('HGET', job_key(id), 'owner')
  return whose and (owner == '*' or owner == whose)
end

local function queue_member(id)
  return string.format('%016.0f', tonumber(field(id, 'order'))) .. ':' .. id
end

-- Append to the history. The id is <fence>-<n>: both only grow, so order is the order of writing.
local function emit(id, kind, data)
  local n = redis.call('HINCRBY', job_key(id), 'events', 1)
  redis.call('XADD', events_key(id), field(id, 'fence') .. '-' .. n,
    'type', kind, 'at', whole(now_ms()), 'data', data)
end

local function touch(id)
  local revision = redis.call('HINCRBY', job_key(id), 'revision', 1)
  redis.call('PUBLISH', changes_key(id), revision)
end

local function index(id, status, verb)
  local order = field(id, 'order')
  for _, owner in ipairs({'*', field(id, 'owner')}) do
    local key = by_status_key(owner, status)
    if verb == 'add' then redis.call('ZADD', key, order, id) else redis.call('ZREM', key, id) end
  end
end

-- The job's last change of status within this call, for the log: id, before, after, reason, owner.
local changed = ''

-- The only way a status changes. Returns false, and changes nothing, where the table forbids it.
-- `held_until` is when a worker's hold on the job ended, in ms, if that was before now.
local function transition(id, to, reason, held_until)
  local key = job_key(id)
  local from = field(id, 'status')
  if not (ALLOWED[from] and ALLOWED[from][to]) then return false end
  local at = whole(now_ms())
  index(id, from, 'remove')
  index(id, to, 'add')
  if from == 'queued' then redis.call('ZREM', queue_key(field(id, 'lane')), queue_member(id)) end
  if to == 'queued' then
    redis.call('ZADD', queue_key(field(id, 'lane')), -tonumber(field(id, 'priority')), queue_member(id))
  end
  if HELD[from] and not HELD[to] then
    redis.call('ZREM', leases_key(), id)
    redis.call('HDEL', key, 'phase')
    redis.call('HINCRBY', key, 'ran_ms', whole((held_until or tonumber(at)) - tonumber(field(id, 'claimed_at'))))
  end
  redis.call('HSET', key, 'status', to, 'reason', reason)
  local line = cjson.encode({at = tonumber(at), status = to, reason = reason, attempt = tonumber(field(id, 'attempt'))})
  redis.call('HSET', key, 'transitions', field(id, 'transitions') .. line .. '\n')
  emit(id, 'status', line)
  if TERMINAL[to] then
    redis.call('HSET', key, 'finished_at', at)
    local retention = tonumber(field(id, 'retention_ms'))
    redis.call('PEXPIRE', key, whole(retention))
    redis.call('PEXPIRE', events_key(id), whole(retention))
    redis.call('ZADD', expiring_key(), whole(tonumber(at) + retention), id .. '|' .. field(id, 'owner'))
  end
  touch(id)
  changed = id .. ' ' .. from .. ' ' .. to .. ' ' .. reason .. ' ' .. field(id, 'owner')
  return true
end

-- Take a final job out of every list, and leave its files to be deleted.
local function forget(id, owner)
  for _, who in ipairs({'*', owner}) do
    redis.call('ZREM', index_key(who), id)
    for status in pairs(TERMINAL) do redis.call('ZREM', by_status_key(who, status), id) end
  end
  redis.call('SADD', trash_key(), id)
end

-- A held job's worker was lost or hangs: what was wished for happens, else the job gets another attempt, until it has
-- lost as many as it may. `failure` makes the error's JSON for that end, from the number of attempts lost.
-- Returns the status it got.
local function lose(id, reason, failure)
  local onward = {cancelling = 'cancelled', pausing = 'paused'}
  local to = onward[field(id, 'status')]
  -- While nobody spoke for the job nothing ran: an outage, however long, is no running time.
  local held_until = tonumber(field(id, 'last_heartbeat_at'))
  if to then
    transition(id, to, 'user_requested', held_until)
    return to
  end
  local losses = redis.call('HINCRBY', job_key(id), 'losses', 1)
  to = losses < tonumber(field(id, 'max_attempts')) and 'queued' or 'failed'
  if to == 'failed' then redis.call('HSET', job_key(id), 'error', failure(losses)) end
  transition(id, to, reason, held_until)
  return to
end

-- Whether `fence` is the claim that holds the job now.
local function holds(id, fence)
  return HELD[field(id, 'status')] and field(id, 'fence') == fence
end

local function renew(id, lease_ms)
  local at = now_ms()
  redis.call('ZADD', leases_key(), whole(at + tonumber(lease_ms)), id)
  redis.call('HSET', job_key(id), 'last_heartbeat_at', whole(at))
end

-- What a reader needs to show a job: position in the queue, the clock, the record; and what this call changed.
local function snapshot(id)
  local record = redis.call('HGETALL', job_key(id))
  if #record == 0 then return false end
  local position = -1
  if field(id, 'status') == 'queued' then
    position = redis.call('ZRANK', queue_key(field(id, 'lane')), queue_member(id))
  end
  return {position, whole(now_ms()), record, changed}
end

-- Bells that should be waiting in the wake queue of these lanes and are not. A busy worker asks for the next job
-- by itself, so more bells than workers would only wake trainers for nothing.
local function bells_missing(lanes, wake_queue)
  local queued = 0
  for _, lane in ipairs(lanes) do queued = queued + redis.call('ZCARD', queue_key(lane)) end
  local live = redis.call('ZCOUNT', workers_key(), whole(now_ms()), '+inf')
  return math.min(queued, math.max(1, live)) - redis.call('LLEN', wake_queue_key(wake_queue))
end
