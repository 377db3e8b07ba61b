-- Ask for a job's end. ARGV: id, owner. Returns: the snapshot after it, or nil for an unknown job.
local id, owner = ARGV[1], ARGV[2]
local status = field(id, 'status')
if status == '' or (owner ~= '*' and owner ~= field(id, 'owner')) then return false end
if status == 'queued' or status == 'paused' then
  transition(id, 'cancelled', 'user_requested')
elseif status == 'running' or status == 'pausing' then
  transition(id, 'cancelling', 'user_requested')
  redis.call('PUBLISH', control_key(field(id, 'worker')), id .. ' cancelling')
end
return snapshot(id)
