-- A job's deliveries behind the number `after`, oldest first.
-- Returns: for each its number, what it tells, its attempts, its state ('' while it is pending), when it is due in ms (''
-- where that is not known); nil for an unknown job.
local id, owner, after, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not visible(id, owner) then return false end
local key, rows = webhook_key(id), {}
local first, last = tonumber(redis.call('HGET', key, 'first') or '1'), tonumber(redis.call('HGET', key, 'last') or '0')
local head = redis.call('ZRANGE', outbox_key(id), 0, 0)[1]
local is_held = (tonumber(redis.call('HGET', key, 'held_until') or '0') or 0) > now_ms()
for n = math.max(first, tonumber(after) + 1), last do
  if #rows >= tonumber(limit) then break end
  local found = redis.call('HMGET', key, 'what:' .. n, 'log:' .. n, 'state:' .. n)
  if found[1] then
    local due = tostring(n) == head and not is_held and redis.call('ZSCORE', outboxes_key(), id)
    rows[#rows + 1] = {n, found[1], found[2] or '', found[3] or '', due or ''}
  end
end
return rows
