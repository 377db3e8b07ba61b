-- Take deliveries that are due, of each job the one that comes first. So many are wanted, held for `hold_ms`; none is due
-- later than in `furthest_ms`. At most `per_host` go to one host, and `per_owner` are of one owner's jobs, with those that
-- are under way: the rest, 'host:<name>' | 'owner:<name>', number, …
-- Returns: for each its job, its number, the fence of the hold, url, secret, what it tells, attempts, tries, since when.
local wanted, hold_ms, furthest_ms, per_host, per_owner = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local FIRST_BUSY = 6
wanted, hold_ms, furthest_ms = tonumber(wanted), tonumber(hold_ms), tonumber(furthest_ms)
local most = {host = tonumber(per_host), owner = tonumber(per_owner)}
local LOOKED_AT, AGAIN_MS = 100, 500

local busy = {}
for i = FIRST_BUSY, #ARGV, 2 do busy[ARGV[i]] = tonumber(ARGV[i + 1]) end

-- What is remembered as due later than it can be was written before the clock was set back.
local at = now_ms()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', outboxes_key(), '(' .. whole(at + furthest_ms), '+inf', 'LIMIT', 0, 100)) do
  redis.call('ZADD', outboxes_key(), whole(at), id)
end

local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', outboxes_key(), '-inf', whole(at), 'LIMIT', 0, LOOKED_AT)) do
  if #taken >= wanted then break end
  local key = webhook_key(id)
  local head = redis.pcall('ZRANGE', outbox_key(id), 0, 0)
  local n = head[1]
  local found = n and redis.pcall('HMGET', key, 'host', 'owner', 'url', 'secret', 'what:' .. n, 'log:' .. n, 'tries:' .. n,
    'since:' .. n) or {}
  if not (found[1] and found[2] and found[3] and found[4]) then
    -- Nothing is left to be told, or the store has lost whom to tell.
    redis.call('DEL', outbox_key(id))
    redis.call('ZREM', outboxes_key(), id)
  elseif not found[5] then
    redis.call('ZREM', outbox_key(id), n)
  else
    local host, owner = 'host:' .. found[1], 'owner:' .. found[2]
    if (busy[host] or 0) >= most.host or (busy[owner] or 0) >= most.owner then
      redis.call('ZADD', outboxes_key(), whole(at + AGAIN_MS), id)
    else
      busy[host], busy[owner] = (busy[host] or 0) + 1, (busy[owner] or 0) + 1
      redis.call('ZADD', outboxes_key(), whole(at + hold_ms), id)
      redis.call('HSET', key, 'held_until', whole(at + hold_ms))
      taken[#taken + 1] = {id, n, redis.call('HINCRBY', key, 'fence', 1), found[3], found[4], found[2], found[5],
        found[6] or '', found[7] or '0', found[8] or whole(at)}
    end
  end
end
return taken
