-- End a job. The rest: fields of the record as name, value, …
-- Returns: the change ('' for a repetition), or nil when the claim has ended otherwise. Repeating a finish that took
-- place is a success.
local id, fence, status, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local FIRST_FIELD = 5

if TERMINAL[field(id, 'status')] and field(id, 'fence') == fence and field(id, 'status') == status then return '' end
if not holds(id, fence) then return false end
for i = FIRST_FIELD, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  redis.call('HSET', job_key(id), name, value)
end
if not transition(id, status, reason) then return false end
return changed
