-- Read a job. Returns: its snapshot, or nil.
local id, owner = ARGV[1], ARGV[2]
if not visible(id, owner) then return false end
return snapshot(id)
