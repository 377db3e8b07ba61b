-- Read a job. `known` is '' or the record that the reader has: its revision, a dot, its last heartbeat.
-- Returns: its snapshot; of a record that is as it is known, without it: position, clock, start; or nil.
local id, owner, known = ARGV[1], ARGV[2], ARGV[3]

if known ~= '' then
  local found = redis.pcall('HMGET', job_key(id), 'revision', 'last_heartbeat_at', 'owner', 'status', 'lane')
  -- Whatever else there is about such a record is found out below.
  if not found.err and (found[1] or '') .. '.' .. (found[2] or '') == known and (owner == '*' or owner == found[3]) then
    local position, start_at = -1, ''
    if found[4] == 'queued' then position, start_at = place(found[5] or '', queue_member(id)) end
    return {position, whole(now_ms()), start_at}
  end
end

if not visible(id, owner) then return false end
return snapshot(id)
