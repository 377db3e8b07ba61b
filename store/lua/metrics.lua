-- What a job's epochs measured, newest first: of `span` entries of its history before the event `before` ('' for the
-- end) the metrics alone, until a step is reached.
-- Returns: the event to go on before ('' where nothing is left), their JSON; nil for an unknown job.
local id, owner, after_step, before, span = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
after_step, span = tonumber(after_step), tonumber(span)
if not visible(id, owner) then return false end

local entries = redis.call('XREVRANGE', events_key(id), before == '' and '+' or '(' .. before, '-', 'COUNT', span)
local found = {}
for _, entry in ipairs(entries) do
  -- As `emit` wrote it: 'type', kind, 'at', ms, 'data', JSON.
  local kind, data = entry[2][2], entry[2][6]
  if kind == 'metric' then
    -- Steps only grow along the history, so there is nothing new before this one.
    if after_step > 0 and ((decoded(data) or {}).step or 0) <= after_step then return {'', found} end
    found[#found + 1] = data
  end
end
return {#entries == span and entries[#entries][1] or '', found}
