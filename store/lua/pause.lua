-- Ask for a job to be paused. Returns: whether its status allows it, the snapshot after it; nil for an unknown job. A job that is paused or pausing stays so.
local id, owner = ARGV[1], ARGV[2]
if not visible(id, owner) then return false end
local status = field(id, 'status')
local allowed = 1
if status == 'queued' then
  transition(id, 'paused', 'user_requested')
elseif status == 'running' then
  transition(id, 'pausing', 'user_requested')
  redis.call('PUBLISH', control_key(field(id, 'worker')), id .. ' pausing')
elseif status ~= 'paused' and status ~= 'pausing' then
  allowed = 0
end
return {allowed, snapshot(id)}
