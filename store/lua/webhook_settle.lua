-- Say how a delivery's attempt went: `outcome` is 'delivered', 'retry' in `wait_ms`, 'failed', or 'gone' where the receiver
-- wants no more. `log` is the delivery's attempts as JSON.
-- Returns: 1, or nil where the hold has ended: somebody else attempts it, or the job was deleted.
local id, n, fence, outcome, log, wait_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local MOST_KEPT, TRIMMED_AT_ONCE = 1000, 100
local key = webhook_key(id)
if redis.call('HGET', key, 'fence') ~= fence then return false end

redis.call('HSET', key, 'log:' .. n, log)
redis.call('HINCRBY', key, 'tries:' .. n, 1)
redis.call('HDEL', key, 'held_until')
-- A hold ends with its attempt: told again, this changes nothing.
redis.call('HINCRBY', key, 'fence', 1)
count('webhook_attempts:' .. (outcome == 'delivered' and 'succeeded' or 'failed'))

local function settle(each, state)
  redis.call('HSET', key, 'state:' .. each, state)
  redis.call('ZREM', outbox_key(id), each)
  count('webhook_deliveries:' .. state)
end

if outcome == 'gone' then
  for _, each in ipairs(redis.call('ZRANGE', outbox_key(id), 0, -1)) do settle(each, 'failed') end
  if exists(id) then redis.call('HDEL', job_key(id), 'webhook') end
elseif outcome ~= 'retry' then
  settle(n, outcome)
end

local head = redis.call('ZRANGE', outbox_key(id), 0, 0)[1]
if not head then
  redis.call('ZREM', outboxes_key(), id)
else
  local waits = outcome == 'retry' and head == n
  redis.call('ZADD', outboxes_key(), whole(now_ms() + (waits and tonumber(wait_ms) or 0)), id)
end

-- Of what was settled the last are kept.
local first, last = tonumber(redis.call('HGET', key, 'first') or '1'), tonumber(redis.call('HGET', key, 'last') or '0')
local gone = 0
while last - first >= MOST_KEPT and gone < TRIMMED_AT_ONCE and not redis.call('ZSCORE', outbox_key(id), first) do
  for _, name in ipairs({'what:', 'log:', 'state:', 'tries:', 'since:'}) do redis.call('HDEL', key, name .. first) end
  first, gone = first + 1, gone + 1
end
if gone > 0 then redis.call('HSET', key, 'first', first) end
return 1
