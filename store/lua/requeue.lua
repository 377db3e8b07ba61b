-- Give a held job back unfinished. `failure` is the error that ends the job if this attempt counts as lost and was the
-- last one it had, else ''. Returns: the status it got and the change, or nil for a stale claim.
-- A wish to cancel or pause that the worker had not answered is fulfilled.
local id, fence, reason, failure = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if not holds(id, fence) then return false end
if failure ~= '' then return {lose(id, reason, function() return failure end), changed} end
local onward = {running = 'queued', cancelling = 'cancelled', pausing = 'paused'}
local to = onward[field(id, 'status')]
transition(id, to, to == 'queued' and reason or 'user_requested')
return {to, changed}
