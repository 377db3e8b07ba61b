-- Give a held job back unfinished. ARGV: id, fence, reason. Returns: the status it got and the change, or nil for a
-- stale claim.
-- A wish to cancel or pause that the worker had not answered is fulfilled.
local id, fence, reason = ARGV[1], ARGV[2], ARGV[3]
if not holds(id, fence) then return false end
local onward = {running = 'queued', cancelling = 'cancelled', pausing = 'paused'}
local to = onward[field(id, 'status')]
transition(id, to, to == 'queued' and reason or 'user_requested')
return {to, changed}
