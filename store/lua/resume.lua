-- Queue a paused job again, unless its owner has `max_queued` queued jobs (0: any number). A job that is queued or running
-- already stays so.
-- Returns: whether its status allows it, the snapshot after it, bells missing; 'queued' and their number at that limit; nil
-- for an unknown job.
local id, owner, max_queued = ARGV[1], ARGV[2], ARGV[3]
max_queued = tonumber(max_queued)
if not visible(id, owner) then return false end
local status = field(id, 'status')
local allowed, missing = 1, 0
if status == 'paused' then
  local queued = redis.call('ZCARD', by_status_key(field(id, 'owner'), 'queued'))
  if max_queued > 0 and queued >= max_queued then return {'queued', queued} end
  transition(id, 'queued', 'user_requested')
  local lane = field(id, 'lane')
  missing = math.max(0, bells_missing({lane}, wake_queue_of(lane)))
elseif status ~= 'queued' and status ~= 'running' then
  allowed = 0
end
return {allowed, snapshot(id), missing}
