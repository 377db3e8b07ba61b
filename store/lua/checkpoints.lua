-- Which states of a job are kept. Returns: JSON of the last checkpoint and of the best, each nil where there is none;
-- nil for an unknown job.
local id, owner = ARGV[1], ARGV[2]
if not visible(id, owner) then return false end
return redis.call('HMGET', job_key(id), 'checkpoint', 'best_checkpoint')
