-- A stretch of a job's history, behind the event `after` or from the beginning ('').
-- Returns: so many entries, oldest first; nil for an unknown job. Behind the last one of a final job comes `done`, which
-- is kept by the record: nothing is written to that history any more.
local id, owner, after, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

-- Whether an event's id comes before another one; '' before all.
local function precedes(one, other)
  local function parts(of)
    local fence, n = string.match(of, '^(%d+)-(%d+)$')
    return tonumber(fence or -1), tonumber(n or -1)
  end
  local fence, n = parts(one)
  local other_fence, other_n = parts(other)
  return fence < other_fence or (fence == other_fence and n < other_n)
end

if not visible(id, owner) then return false end
local rows = redis.call('XRANGE', events_key(id), after == '' and '-' or '(' .. after, '+', 'COUNT', limit)
local status = field(id, 'status')
if TERMINAL[status] and #rows < tonumber(limit) then
  local done = field(id, 'fence') .. '-' .. whole(number(id, 'events', 0) + 1)
  if precedes(after, done) then
    local data = cjson.encode({status = status, reason = field(id, 'reason')})
    rows[#rows + 1] = {done, {'type', 'done', 'at', whole(number(id, 'finished_at', 0)), 'data', data}}
  end
end
return rows
