-- Events of all jobs of an owner ('*': of everybody) behind an entry of the feed: among its next `span` entries.
-- Returns: the last entry looked at, or `after`; how many were looked at; whether entries behind `after` may be gone; and
-- for each event: its entry, job, owner, and [id, fields] as its job's history has it. Those of deleted jobs are left out.
local owner, after, span = ARGV[1], ARGV[2], ARGV[3]

local about = redis.pcall('XINFO', 'STREAM', feed_key())
local oldest, newest = '0-0', '0-0'
for i = 1, about.err and 0 or #about, 2 do
  if about[i] == 'last-generated-id' then newest = about[i + 1] end
  if about[i] == 'first-entry' and about[i + 1] then oldest = about[i + 1][1] end
end
-- The oldest ones go first, so an entry that is still there has all that came after it; and one that is to come is of a
-- feed that was lost.
local is_broken = after ~= '0-0' and (precedes(after, oldest) or precedes(newest, after))

local rows, found = redis.call('XRANGE', feed_key(), '(' .. after, '+', 'COUNT', span), {}
for _, row in ipairs(rows) do
  local fields = row[2]
  local job, whose, event = fields[2], fields[4], fields[6]
  if (owner == '*' or owner == whose) and exists(job) then
    local entry = redis.call('XRANGE', events_key(job), event, event)[1]
    if not entry and TERMINAL[field(job, 'status')] then
      local done = done_entry(job)
      if done[1] == event then entry = done end
    end
    if entry then found[#found + 1] = {row[1], job, whose, entry} end
  end
end
return {#rows > 0 and rows[#rows][1] or after, #rows, is_broken and 1 or 0, found}
