-- Accept a job: record, queue, indexes and the first answer for its idempotency key, all or nothing.
-- ARGV: id, owner, lane, bells, priority, retention_ms, idempotency key or '', digest of the body, its TTL in ms,
--       most unfinished and most queued jobs of the owner (0: any number), then the record's fields as name, value, …
-- Returns: outcome ('created' | 'repeated' | 'conflict'), first answer as JSON, bells missing; or, at a limit,
--          'unfinished' | 'queued', the number of them, 0.
local id, owner, lane, bells, priority, retention_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local repeat_key, digest, repeat_ttl_ms = ARGV[7], ARGV[8], ARGV[9]

if repeat_key ~= '' then
  local known = redis.call('GET', idempotency_key(owner, repeat_key))
  if known then
    if cjson.decode(known).digest == digest then return {'repeated', known, 0} end
    return {'conflict', known, 0}
  end
end

-- The same request again, because its reply was lost on the way.
if redis.call('EXISTS', job_key(id)) == 1 then
  return {'created', cjson.encode({id = id, digest = digest, at = tonumber(field(id, 'created_at')), position = 0}), 0}
end

local most, most_queued = tonumber(ARGV[10]), tonumber(ARGV[11])
local queued = redis.call('ZCARD', by_status_key(owner, 'queued'))
if most_queued > 0 and queued >= most_queued then return {'queued', queued, 0} end
if most > 0 then
  local unfinished = 0
  for status in pairs(ALLOWED) do
    if not TERMINAL[status] then unfinished = unfinished + redis.call('ZCARD', by_status_key(owner, status)) end
  end
  if unfinished >= most then return {'unfinished', unfinished, 0} end
end

local us = now_us()
local order = math.max(us, tonumber(redis.call('GET', last_order_key()) or '0') + 1)
redis.call('SET', last_order_key(), whole(order))
local at = whole(math.floor(us / 1000))

local record = {}
for i = 12, #ARGV do record[#record + 1] = ARGV[i] end
redis.call('HSET', job_key(id), 'id', id, 'owner', owner, 'lane', lane, 'priority', priority,
  'retention_ms', retention_ms, 'order', whole(order), 'created_at', at, 'status', 'queued', 'reason', '',
  'fence', 0, 'attempt', 0, 'losses', 0, 'events', 0, 'revision', 0, 'transitions', '', unpack(record))
for _, who in ipairs({'*', owner}) do redis.call('ZADD', index_key(who), whole(order), id) end
index(id, 'queued', 'add')
redis.call('ZADD', queue_key(lane), -tonumber(priority), queue_member(id))
local line = cjson.encode({at = tonumber(at), status = 'queued', reason = '', attempt = 0})
redis.call('HSET', job_key(id), 'transitions', line .. '\n')
emit(id, 'status', line)
touch(id)

local position = redis.call('ZRANK', queue_key(lane), queue_member(id))
local answer = cjson.encode({id = id, digest = digest, at = tonumber(at), position = position})
if repeat_key ~= '' then redis.call('SET', idempotency_key(owner, repeat_key), answer, 'PX', repeat_ttl_ms) end
return {'created', answer, bells_missing({lane}, bells)}
