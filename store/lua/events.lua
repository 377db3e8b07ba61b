-- A stretch of a job's history, behind the event `after` or from the beginning ('').
-- Returns: so many entries, oldest first; nil for an unknown job. Behind the last one of a final job comes `done`, which
-- is kept by the record: nothing is written to that history any more.
local id, owner, after, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if not visible(id, owner) then return false end
local rows = redis.call('XRANGE', events_key(id), after == '' and '-' or '(' .. after, '+', 'COUNT', limit)
if TERMINAL[field(id, 'status')] and #rows < tonumber(limit) then
  local done = done_entry(id)
  if precedes(after, done[1]) then rows[#rows + 1] = done end
end
return rows
