-- Take the next job of the lanes a worker serves.
-- The token is new for every claim, and the same when a claim is sent again. The rest: lane, …
-- Returns: the job's snapshot, or nil when nothing waits.
local worker, lease_ms, token = ARGV[1], ARGV[2], ARGV[3]
local FIRST_LANE = 4

local taken = redis.call('GET', claim_key(token))
if taken and exists(taken) then return snapshot(taken) end

-- The first that waits: its lane, and its entry there.
local function head()
  local best
  for i = FIRST_LANE, #ARGV do
    local lane = ARGV[i]
    local first = redis.call('ZRANGE', queue_key(lane), 0, 0, 'WITHSCORES')
    if first[1] and (not best or tonumber(first[2]) < best.score
        or (tonumber(first[2]) == best.score and first[1] < best.member)) then
      best = {lane = lane, member = first[1], score = tonumber(first[2])}
    end
  end
  return best
end

while true do
  local best = head()
  if not best then return false end
  local id = string.sub(best.member, 18)
  if exists(id) and field(id, 'status') == 'queued' then
    local key, at = job_key(id), whole(now_ms())
    -- A new claim: reports are counted anew, and every older fence is stale from here on.
    redis.call('HINCRBY', key, 'fence', 1)
    redis.call('HINCRBY', key, 'attempt', 1)
    redis.call('HSET', key, 'worker', worker, 'reports', 0)
    redis.call('HSETNX', key, 'started_at', at)
    redis.call('HSET', key, 'claimed_at', at)
    transition(id, 'running', '')
    redis.call('HSET', key, 'phase', 'starting')
    renew(id, lease_ms)
    redis.call('SET', claim_key(token), id, 'PX', 60000)
    return snapshot(id)
  end
  redis.call('ZREM', queue_key(best.lane), best.member)
  if not exists(id) then drop(id) end
end
