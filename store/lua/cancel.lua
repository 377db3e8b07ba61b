-- Ask for a job's end. Returns: the snapshot after it, or nil for an unknown job.
local id, owner = ARGV[1], ARGV[2]
if not visible(id, owner) then return false end
local status = field(id, 'status')
if status == 'queued' or status == 'paused' then
  transition(id, 'cancelled', 'user_requested')
elseif status == 'running' or status == 'pausing' then
  transition(id, 'cancelling', 'user_requested')
  redis.call('PUBLISH', control_key(field(id, 'worker')), id .. ' cancelling')
end
return snapshot(id)
