-- What every script begins with. `NS`, `ALLOWED`, `HELD`, `TERMINAL`, `wake_queues`, `wake_queue_of`, `bucket_of` and
-- the `<kind>_key` builders are put before this text by store/scripts.py, from jobs/states.py, store/lanes.py,
-- store/buckets.py and store/keys.py. A script names its arguments in its first statement, by which names store/calls.py hands them over.
--
-- The store is not trusted to be whole: it may have lost or evicted a record. Nor is its clock: it may be set, so an
-- instant that lies further ahead than it can have been written counts as none.

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

-- A field's number, or another one where the record has none.
local function number(id, name, otherwise)
  return tonumber(field(id, name)) or otherwise
end

-- The table that a JSON text stands for; nil for any other text.
local function decoded(text)
  local understood, value = pcall(cjson.decode, text)
  if understood and type(value) == 'table' then return value end
end

-- Count something for whoever watches the service (store/stats.py). It goes with a change that was made, and what was
-- counted may be damaged: no job fails for that.
local function count(name, by)
  redis.pcall('HINCRBY', stats_key(), name, whole(by or 1))
end

-- Count a duration in its bucket, and towards the sum of its kind.
local function observe(name, seconds)
  seconds = math.max(0, seconds)
  count(name .. ':' .. bucket_of(seconds))
  count(name .. ':microseconds', seconds * 1000000)
end

-- How long a job of a lane runs by the last ones there, each counting the less the more came after it: for estimates.
local function note_run(lane, ran_ms)
  local usual = tonumber(redis.pcall('HGET', stats_key(), 'usual_run_ms:' .. lane))
  redis.pcall('HSET', stats_key(), 'usual_run_ms:' .. lane, whole(usual and usual + (ran_ms - usual) / 8 or ran_ms))
end

-- Whether the job has a record that can be worked with. What a newer version wrote is left to whoever decodes it.
local function exists(id)
  local found = redis.pcall('HMGET', job_key(id), 'id', 'status', 'owner', 'lane',
    'order', 'priority', 'retention_ms', 'fence', 'attempt', 'events', 'revision')
  if found.err then return false end
  for i = 1, 11 do
    if not found[i] or (i > 4 and not tonumber(found[i])) then return false end
  end
  return true
end

-- A job's name in its lane: jobs of one priority stand there in their order.
local function queue_member(id, order)
  return string.format('%016.0f', order or number(id, 'order', 0)) .. ':' .. id
end

-- Of what repeats without end the first few are kept and the last.
local FIRST_KEPT, LAST_KEPT = 10, 90

-- Append to lines of which so many are kept. Returns the lines, and those that had to go.
local function append(text, line)
  local lines, kept, gone = {}, {}, {}
  for each in string.gmatch(text, '[^\n]+') do lines[#lines + 1] = each end
  lines[#lines + 1] = line
  for i, each in ipairs(lines) do
    local into = (i <= FIRST_KEPT or i > #lines - LAST_KEPT) and kept or gone
    into[#into + 1] = each
  end
  return table.concat(kept, '\n') .. '\n', gone
end

-- Whether an event's id, <number>-<number>, comes before another one; '' before all.
local function precedes(one, other)
  local function parts(of)
    local first, second = string.match(of, '^(%d+)-(%d+)$')
    return tonumber(first or -1), tonumber(second or -1)
  end
  local one_first, one_second = parts(one)
  local other_first, other_second = parts(other)
  return one_first < other_first or (one_first == other_first and one_second < other_second)
end

-- Events of all jobs together that are kept for whoever follows those: somewhat more than these.
local FEED_KEPT = 10000

-- Note where an event is, for whoever follows all jobs: it is read there, so what is deleted is told no more.
local function announce(id, event, owner)
  redis.call('XADD', feed_key(), 'MAXLEN', '~', FEED_KEPT, '*', 'job', id, 'owner', owner or field(id, 'owner'),
    'event', event)
end

-- Deliveries of one job that may wait; beyond them only its end is told.
local MOST_WAITING = 20000

-- Have the job's webhook told of an event, if it asked for its kind: the delivery is written with the change that it
-- tells. All that a message says stands in it, as it is now. Those who write the change never wait for it, nor fail by it.
local function tell_webhook(id, event, kind, data, at)
  local wanted = field(id, 'webhook')
  if wanted == '' then return end
  local key, status = webhook_key(id), field(id, 'status')
  local name = kind == 'metric' and 'job.epoch' or kind == 'status' and 'job.' .. status
  if not name or not string.find(wanted, ' ' .. name .. ' ', 1, true) then return end
  if redis.pcall('HEXISTS', key, 'secret') ~= 1 then return end
  local waiting = redis.pcall('ZCARD', outbox_key(id))
  if type(waiting) ~= 'number' or (waiting >= MOST_WAITING and not TERMINAL[status]) then return end
  local what = {type = name, at = at, event = event, status = status, reason = field(id, 'reason'),
    attempt = number(id, 'attempt', 0), metadata = field(id, 'metadata')}
  if kind == 'metric' then what.epoch = data end
  if TERMINAL[status] then
    for _, each in ipairs({'latest', 'best', 'test', 'error'}) do what[each] = field(id, each) end
  end
  local n = redis.pcall('HINCRBY', key, 'last', 1)
  if type(n) ~= 'number' then return end
  redis.pcall('HSET', key, 'what:' .. n, cjson.encode(what), 'since:' .. n, at)
  redis.pcall('ZADD', outbox_key(id), n, n)
  -- One that is held, or waits for its next attempt, keeps its time.
  redis.pcall('ZADD', outboxes_key(), 'NX', at, id)
end

-- A job's webhook outlasts its record for as long as attempts go on.
local function retire_webhook(id, retention_ms)
  local keep_ms = tonumber(redis.pcall('HGET', webhook_key(id), 'keep_ms'))
  if not keep_ms then return end
  redis.pcall('PEXPIRE', webhook_key(id), whole(retention_ms + keep_ms))
  redis.pcall('PEXPIRE', outbox_key(id), whole(retention_ms + keep_ms))
end

-- Append to the history. The id is <fence>-<n>: both only grow, so order is the order of writing. Metrics are as many
-- as the job has epochs; of every other kind only so many are kept.
local function emit(id, kind, data)
  local n = redis.call('HINCRBY', job_key(id), 'events', 1)
  local event = field(id, 'fence') .. '-' .. n
  local at = whole(now_ms())
  redis.call('XADD', events_key(id), event, 'type', kind, 'at', at, 'data', data)
  announce(id, event)
  tell_webhook(id, event, kind, data, at)
  if kind == 'metric' then return end
  local kept, gone = append(field(id, 'kept:' .. kind), event)
  redis.call('HSET', job_key(id), 'kept:' .. kind, kept)
  if #gone > 0 then redis.call('XDEL', events_key(id), unpack(gone)) end
end

-- The last entry of a final job's history, [id, fields]: it is kept by the record.
local function done_entry(id)
  local event = field(id, 'fence') .. '-' .. whole(number(id, 'events', 0) + 1)
  local data = cjson.encode({status = field(id, 'status'), reason = field(id, 'reason')})
  return {event, {'type', 'done', 'at', whole(number(id, 'finished_at', 0)), 'data', data}}
end

-- Say something to whoever follows the job (LogLine in jobs/record.py). In bytes, of which a message has no fewer than
-- letters.
local LONGEST_LINE = 500
local function log_line(id, level, message)
  if #message > LONGEST_LINE then
    -- Not within a letter of several bytes.
    message = string.gsub(string.sub(message, 1, LONGEST_LINE), '[\194-\244][\128-\191]*$', '')
  end
  emit(id, 'log', cjson.encode({level = level, message = message}))
end

local function touch(id)
  local revision = redis.call('HINCRBY', job_key(id), 'revision', 1)
  redis.call('PUBLISH', changes_key(id), revision)
  redis.call('PUBLISH', changes_key('*'), id .. ' ' .. field(id, 'owner'))
end

local function index(id, status, verb)
  local order = whole(number(id, 'order', 0))
  for _, owner in ipairs({'*', field(id, 'owner')}) do
    local key = by_status_key(owner, status)
    if verb == 'add' then redis.call('ZADD', key, order, id) else redis.call('ZREM', key, id) end
  end
end

local function enqueue(id)
  redis.call('ZADD', queue_key(field(id, 'lane')), -number(id, 'priority', 0), queue_member(id))
end

-- Count how long the job ran since its worker last spoke: never longer than its lease, however the clock was set.
local function count_running(id, at)
  local lease_ms = number(id, 'lease_ms', nil)
  -- A claim of an older worker has no lease on record; it is counted from its beginning.
  local ran = math.max(0, at - number(id, lease_ms and 'last_heartbeat_at' or 'claimed_at', at))
  redis.call('HINCRBY', job_key(id), 'ran_ms', whole(lease_ms and math.min(ran, lease_ms) or ran))
end

-- The job's last change of status within this call, for the log: id, before, after, reason, owner.
local changed = ''

-- Count a change of status: how long a claimed job waited, and how a final one ended, after running for how long.
-- `transitions` are those before it.
local function count_change(id, to, reason, at, transitions)
  if to == 'running' then
    local queued_at = tonumber(string.match(transitions, '.*"at":(%d+)'))
    if queued_at then observe('queue_wait', (at - queued_at) / 1000) end
  elseif TERMINAL[to] then
    count('finished:' .. to .. ':' .. reason)
    -- One that was cancelled in the queue never ran.
    local ran_ms = number(id, 'ran_ms', nil)
    if ran_ms then
      observe('running:' .. to, ran_ms / 1000)
      note_run(field(id, 'lane'), ran_ms)
    end
  end
end

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
  if to == 'queued' then enqueue(id) end
  if HELD[from] and not HELD[to] then
    redis.call('ZREM', leases_key(), id)
    count_running(id, held_until or tonumber(at))
    redis.call('HDEL', key, 'phase', 'lease_ms', 'finish_at')
  end
  redis.call('HSET', key, 'status', to, 'reason', reason)
  local line = cjson.encode({at = tonumber(at), status = to, reason = reason, attempt = number(id, 'attempt', 0)})
  local before = field(id, 'transitions')
  local transitions, gone = append(before, line)
  redis.call('HSET', key, 'transitions', transitions)
  if #gone > 0 then redis.call('HINCRBY', key, 'transitions_omitted', #gone) end
  emit(id, 'status', line)
  if TERMINAL[to] then
    redis.call('HSET', key, 'finished_at', at)
    local retention = tonumber(field(id, 'retention_ms'))
    redis.call('PEXPIRE', key, whole(retention))
    redis.call('PEXPIRE', events_key(id), whole(retention))
    redis.call('ZADD', expiring_key(), whole(tonumber(at) + retention), id .. '|' .. field(id, 'owner'))
    announce(id, done_entry(id)[1])
    retire_webhook(id, retention)
  end
  touch(id)
  count_change(id, to, reason, tonumber(at), before)
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

-- Take a job whose record is gone out of what workers and caps look at. Upkeep takes it out of its owner's lists and
-- tells the log. The record of a final job ends by itself, and the job is forgotten when it was to be deleted anyway.
local function drop(id)
  local order = redis.call('ZSCORE', index_key('*'), id)
  if not order then return end
  for status in pairs(TERMINAL) do
    if redis.call('ZSCORE', by_status_key('*', status), id) then return end
  end
  -- A store that takes no writes now takes this one another time.
  local noted = redis.pcall('SADD', lost_key(), id)
  if type(noted) == 'table' then return end
  for _, wake_queue in ipairs(wake_queues()) do
    for _, lane in ipairs(wake_queue.lanes) do
      redis.call('ZREM', queue_key(lane), string.format('%016.0f', tonumber(order)) .. ':' .. id)
    end
  end
  redis.call('ZREM', leases_key(), id)
  redis.call('ZREM', index_key('*'), id)
  for status in pairs(ALLOWED) do redis.call('ZREM', by_status_key('*', status), id) end
  redis.call('DEL', job_key(id), events_key(id))
  retire_webhook(id, 0)
  redis.call('PUBLISH', changes_key(id), 'lost')
  count('lost')
end

-- Bytes that an owner's datasets take, and those set aside for others of its uploads than this.
local function taken_bytes(owner, token)
  local taken, at = tonumber(redis.call('GET', stored_bytes_key(owner)) or '0'), now_ms()
  local reserved = redis.call('HGETALL', reserved_bytes_key(owner))
  for i = 1, #reserved, 2 do
    local bytes, until_ms = string.match(reserved[i + 1], '^(%d+) (%d+)$')
    if tonumber(until_ms) <= at then
      redis.call('HDEL', reserved_bytes_key(owner), reserved[i])
    elseif reserved[i] ~= token then
      taken = taken + tonumber(bytes)
    end
  end
  return taken
end

-- Whether a job may yet read its dataset.
local function needs_dataset(id)
  return exists(id) and not TERMINAL[field(id, 'status')]
end

-- Whether there is such a job and this owner ('*': everybody) sees it.
local function visible(id, owner)
  if not exists(id) then
    drop(id)
    return false
  end
  return owner == '*' or owner == field(id, 'owner')
end

-- A held job's worker was lost or hangs: what was wished for happens, else the job gets another attempt, until it has
-- lost as many as it may. `failure` makes the error's JSON for that end, from the number of attempts lost.
-- Returns the status it got.
local function lose(id, reason, failure)
  count('lease_losses:' .. reason)
  local to = ({cancelling = 'cancelled', pausing = 'paused'})[field(id, 'status')]
  -- While nobody spoke for the job nothing ran: an outage, however long, is no running time.
  local held_until = number(id, 'last_heartbeat_at', nil)
  if to then
    transition(id, to, 'user_requested', held_until)
    return to
  end
  local losses = redis.call('HINCRBY', job_key(id), 'losses', 1)
  local most = number(id, 'max_attempts', 1)
  to = losses < most and 'queued' or 'failed'
  local what = reason == 'stalled' and ' came no step further' or ' fell silent'
  local onward = field(id, 'checkpoint') ~= '' and 'goes on from its last checkpoint' or 'begins anew'
  log_line(id, 'warning', 'its worker ' .. field(id, 'worker') .. what .. ' in attempt ' .. field(id, 'attempt') ..
    (to == 'queued' and '; it is queued again and ' .. onward or '; it may not lose another') ..
    ' (' .. losses .. ' lost, ' .. most .. ' end it)')
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
  count_running(id, at)
  redis.call('ZADD', leases_key(), whole(at + tonumber(lease_ms)), id)
  redis.call('HSET', job_key(id), 'last_heartbeat_at', whole(at), 'lease_ms', lease_ms)
end

-- Bells that should be waiting in the wake queue of these lanes and are not. A busy worker asks for the next job
-- by itself, so more bells than workers would only wake trainers for nothing.
local function bells_missing(lanes, wake_queue)
  local queued = 0
  for _, lane in ipairs(lanes) do queued = queued + redis.call('ZCARD', queue_key(lane)) end
  local live = redis.call('ZCOUNT', workers_key(), whole(now_ms()), '+inf')
  return math.min(queued, math.max(1, live)) - redis.call('LLEN', wake_queue_key(wake_queue))
end
