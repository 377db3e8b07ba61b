-- End a job. ARGV: id, fence, status, reason, then fields of the record as name, value, …
-- Returns: the change ('' for a repetition), or nil when the claim has ended otherwise. Repeating a finish that took place is a success.
local id, fence, to, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if TERMINAL[field(id, 'status')] and field(id, 'fence') == fence and field(id, 'status') == to then return '' end
if not holds(id, fence) then return false end
for i = 5, #ARGV, 2 do redis.call('HSET', job_key(id), ARGV[i], ARGV[i + 1]) end
if not transition(id, to, reason) then return false end
return changed
