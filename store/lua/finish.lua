-- End a job; `log` is the line (JSON) that tells why, or ''. The rest: fields of the record as name, value, …
-- Returns: the change ('' for a repetition), or nil when the claim has ended otherwise. Repeating a finish that took
-- place is a success.
local id, fence, status, reason, log = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local FIRST_FIELD = 6

if TERMINAL[field(id, 'status')] and field(id, 'fence') == fence and field(id, 'status') == status then return '' end
if not holds(id, fence) then return false end
for i = FIRST_FIELD, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  redis.call('HSET', job_key(id), name, value)
end
if log ~= '' then emit(id, 'log', log) end
if not transition(id, status, reason) then return false end
return changed
