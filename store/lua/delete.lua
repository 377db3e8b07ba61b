-- Delete a final job: record, history, what its webhook was not yet told, and its place in every list.
-- Returns: nil for an unknown job, else its status and whether it was deleted.
local id, owner = ARGV[1], ARGV[2]
if not visible(id, owner) then return false end
local status = field(id, 'status')
if not TERMINAL[status] then return {status, 0} end
local whose = field(id, 'owner')
redis.call('ZREM', expiring_key(), id .. '|' .. whose)
forget(id, whose)
redis.call('DEL', job_key(id), events_key(id), webhook_key(id), outbox_key(id))
redis.call('ZREM', outboxes_key(), id)
redis.call('PUBLISH', changes_key(id), 'deleted')
return {status, 1}
