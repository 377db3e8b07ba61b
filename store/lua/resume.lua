-- Queue a paused job again. Returns: whether its status allows it, the snapshot after it, bells missing; nil for an
-- unknown job. A job that is queued or running already stays so.
local id, owner = ARGV[1], ARGV[2]
if not visible(id, owner) then return false end
local status = field(id, 'status')
local allowed, missing = 1, 0
if status == 'paused' then
  transition(id, 'queued', 'user_requested')
  local lane = field(id, 'lane')
  missing = math.max(0, bells_missing({lane}, wake_queue_of(lane)))
elseif status ~= 'queued' and status ~= 'running' then
  allowed = 0
end
return {allowed, snapshot(id), missing}
