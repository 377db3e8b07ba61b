-- A stretch of a job's history, behind the event `after` or from the beginning ('').
-- Returns: so many entries, oldest first; nil for an unknown job.
local id, owner, after, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not visible(id, owner) then return false end
return redis.call('XRANGE', events_key(id), after == '' and '-' or '(' .. after, '+', 'COUNT', limit)
