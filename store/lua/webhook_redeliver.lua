-- Have a delivery of a job attempted soon, though it was settled. One that is pending has its turn now, or what comes before it.
-- Returns: whether there is such a delivery; nil for an unknown job.
local id, owner, n = ARGV[1], ARGV[2], ARGV[3]
if not visible(id, owner) then return false end
local key = webhook_key(id)
if redis.call('HEXISTS', key, 'what:' .. n) == 0 then return 0 end
local at = whole(now_ms())
if redis.call('HDEL', key, 'state:' .. n) == 1 then
  redis.call('HSET', key, 'tries:' .. n, 0, 'since:' .. n, at)
  redis.call('ZADD', outbox_key(id), n, n)
  -- Gone since it was empty, and its expiry with it.
  local left_ms = redis.call('PTTL', key)
  if left_ms > 0 then redis.call('PEXPIRE', outbox_key(id), left_ms) end
end
if (tonumber(redis.call('HGET', key, 'held_until') or '0') or 0) <= now_ms() then redis.call('ZADD', outboxes_key(), at, id) end
return 1
