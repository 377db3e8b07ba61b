-- Accept a job: record, queue, indexes and the first answer for its idempotency key, all or nothing.
-- `repeat_key` is the idempotency key or '', `digest` that of the body, `max_jobs` and `max_queued` are the most
-- unfinished and the most queued jobs of the owner (0: any number). `dataset` and `version` name a version of one of the
-- owner's datasets, or are ''. `webhook` has the fields of its webhook as a JSON object, or is ''. The rest: the record's fields as name, value, …
-- Returns: 'created', the answer as JSON, bells missing; 'repeated', the first answer to this key with its digest, spec
--          and progress, whatever the digest is now, 0; at a limit, 'unfinished' | 'queued', the number of them, 0; or
--          'gone', 0, 0 where there is no such version.
local id, owner, lane, priority, retention_ms, repeat_key, digest, repeat_ttl_ms, max_jobs, max_queued, dataset, version, webhook =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local FIRST_FIELD = 14
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
redis.call('HSET', job_key(id), 'id', id, 'owner', owner, 'lane', lane, 'priority', priority,
  'retention_ms', retention_ms, 'order', whole(order), 'created_at', at, 'status', 'queued', 'reason', '',
  'fence', 0, 'attempt', 0, 'losses', 0, 'events', 0, 'revision', 0, 'transitions', '', unpack(record))
if webhook ~= '' then
  for name, value in pairs(cjson.decode(webhook)) do redis.call('HSET', webhook_key(id), name, value) end
end
for _, who in ipairs({'*', owner}) do redis.call('ZADD', index_key(who), whole(order), id) end
index(id, 'queued', 'add')
if version ~= '' then
  local needing = dataset_jobs_key(owner, dataset, version)
  -- Two of those before: so the set stays about as long as there are jobs that are not final.
  for _, other in ipairs(redis.call('SRANDMEMBER', needing, 2)) do
    if not needs_dataset(other) then redis.call('SREM', needing, other) end
  end
  redis.call('SADD', needing, id)
end
redis.call('ZADD', queue_key(lane), -tonumber(priority), queue_member(id))
local line = cjson.encode({at = tonumber(at), status = 'queued', reason = '', attempt = 0})
redis.call('HSET', job_key(id), 'transitions', line .. '\n')
emit(id, 'status', line)
touch(id)
count('submitted')

local position, start_at = place(id)
local answer = {id = id, digest = digest, at = tonumber(at), position = position, start_at = start_at}
local told = cjson.encode(answer)
if repeat_key ~= '' then
  answer.spec, answer.progress, answer.choices = given.spec, given.progress, given.choices
  redis.call('SET', idempotency_key(owner, repeat_key), cjson.encode(answer), 'PX', repeat_ttl_ms)
end
return {'created', told, bells_missing({lane}, wake_queue_of(lane))}
