-- Take the next job of the lanes a worker serves.
-- The token is new for every claim, and the same when a claim is sent again. The rest: lane, …
-- Returns: the job's snapshot, or nil when nothing waits.
local worker, lease_ms, token = ARGV[1], ARGV[2], ARGV[3]
local FIRST_LANE = 4

local taken = redis.call('GET', claim_key(token))
if taken then return snapshot(taken) end

local best
for i = FIRST_LANE, #ARGV do
  local lane = ARGV[i]
  local head = redis.call('ZRANGE', queue_key(lane), 0, 0, 'WITHSCORES')
  if head[1] and (not best or tonumber(head[2]) < best.score
      or (tonumber(head[2]) == best.score and head[1] < best.member)) then
    best = {member = head[1], score = tonumber(head[2])}
  end
end
if not best then return false end

local id = string.sub(best.member, 18)
local key = job_key(id)
-- A new claim: reports are counted anew, and every older fence is stale from here on.
redis.call('HINCRBY', key, 'fence', 1)
redis.call('HINCRBY', key, 'attempt', 1)
redis.call('HSET', key, 'worker', worker, 'reports', 0)
redis.call('HSETNX', key, 'started_at', whole(now_ms()))
redis.call('HSET', key, 'claimed_at', whole(now_ms()))
transition(id, 'running', '')
redis.call('HSET', key, 'phase', 'starting')
renew(id, lease_ms)
redis.call('SET', claim_key(token), id, 'PX', 60000)
return snapshot(id)
