-- Accept a job: record, queue, indexes and the first answer for its idempotency key, all or nothing.
-- `repeat_key` is the idempotency key or '', `digest` that of the body, `max_jobs` and `max_queued` are the most
-- unfinished and the most queued jobs of the owner (0: any number). `dataset` and `version` name a version of one of the
-- owner's datasets, or are ''. `staged` is '1' where the job's first files were staged, and must not be about to go, or ''.
-- `webhook` has the fields of its webhook as a JSON object, or is ''. The rest: the record's fields as name, value, …
-- Returns: 'created', the answer as JSON, bells missing; 'repeated', the first answer to this key with its digest, spec
--          and progress, whatever the digest is now, 0; at a limit, 'unfinished' | 'queued', the number of them, 0; or
--          'gone', 0, 0 where there is no such version; 'unstaged', 0, 0 where those files are to go.
local id, owner, lane, priority, retention_ms, repeat_key, digest, repeat_ttl_ms, max_jobs, max_queued, dataset, version, staged, webhook =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14]
local FIRST_FIELD, FIRST_EVENT = 15, '0-1'
max_jobs, max_queued = tonumber(max_jobs), tonumber(max_queued)

if repeat_key ~= '' then
  local known = redis.call('GET', idempotency_key(owner, repeat_key))
  if known then return {'repeated', known, 0} end
end

-- The same request again, because its reply was lost on the way.
if redis.call('EXISTS', job_key(id)) == 1 then
  return {'created', cjson.encode({id = id, digest = digest, at = tonumber(field(id, 'created_at')), position = 0}), 0}
end

if version ~= '' and redis.call('HEXISTS', dataset_key(owner, dataset), 'version:' .. version) == 0 then
  return {'gone', 0, 0}
end

if staged ~= '' and not redis.call('ZSCORE', staged_key(), id) then return {'unstaged', 0, 0} end

local queued = redis.call('ZCARD', by_status_key(owner, 'queued'))
if max_queued > 0 and queued >= max_queued then return {'queued', queued, 0} end
if max_jobs > 0 then
  local unfinished = 0
  for status in pairs(ALLOWED) do
    if not TERMINAL[status] then unfinished = unfinished + redis.call('ZCARD', by_status_key(owner, status)) end
  end
  if unfinished >= max_jobs then return {'unfinished', unfinished, 0} end
end

local us = now_us()
local order = math.max(us, tonumber(redis.call('GET', last_order_key()) or '0') + 1)
redis.call('SET', last_order_key(), whole(order))
local at = whole(math.floor(us / 1000))

local record, given = {}, {}
for i = FIRST_FIELD, #ARGV do record[#record + 1] = ARGV[i] end
for i = 1, #record, 2 do given[record[i]] = record[i + 1] end
-- The record with its first event, as `emit` and `touch` would write them one by one: submissions come in crowds.
local line = cjson.encode({at = tonumber(at), status = 'queued', reason = '', attempt = 0})
redis.call('HSET', job_key(id), 'id', id, 'owner', owner, 'lane', lane, 'priority', priority,
  'retention_ms', retention_ms, 'order', whole(order), 'created_at', at, 'status', 'queued', 'reason', '',
  'fence', 0, 'attempt', 0, 'losses', 0, 'events', 1, 'kept:status', FIRST_EVENT .. '\n', 'revision', 1,
  'transitions', line .. '\n', unpack(record))
redis.call('XADD', events_key(id), FIRST_EVENT, 'type', 'status', 'at', at, 'data', line)
announce(id, FIRST_EVENT, owner)
if staged ~= '' then redis.call('ZREM', staged_key(), id) end
if webhook ~= '' then
  for name, value in pairs(cjson.decode(webhook)) do redis.call('HSET', webhook_key(id), name, value) end
  tell_webhook(id, FIRST_EVENT, 'status', line, at)
end
for _, who in ipairs({'*', owner}) do
  redis.call('ZADD', index_key(who), whole(order), id)
  redis.call('ZADD', by_status_key(who, 'queued'), whole(order), id)
end
if version ~= '' then
  local needing = dataset_jobs_key(owner, dataset, version)
  -- Two of those before: so the set stays about as long as there are jobs that are not final.
  for _, other in ipairs(redis.call('SRANDMEMBER', needing, 2)) do
    if not needs_dataset(other) then redis.call('SREM', needing, other) end
  end
  redis.call('SADD', needing, id)
end
local member = queue_member(id, order)
redis.call('ZADD', queue_key(lane), -tonumber(priority), member)
-- Nobody can follow this job itself yet.
redis.call('PUBLISH', changes_key('*'), id .. ' ' .. owner)
count('submitted')

local position, start_at = place(lane, member)
local answer = {id = id, digest = digest, at = tonumber(at), position = position, start_at = start_at}
local told = cjson.encode(answer)
if repeat_key ~= '' then
  answer.spec, answer.progress, answer.choices = given.spec, given.progress, given.choices
  answer.initial_weights = given.initial_weights
  redis.call('SET', idempotency_key(owner, repeat_key), cjson.encode(answer), 'PX', repeat_ttl_ms)
end
return {'created', told, bells_missing({lane}, wake_queue_of(lane))}
