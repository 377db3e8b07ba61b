-- One stretch of a list, of one `status` or of all (''): of `span` rows between the orders `low` and `high`, and behind
-- the job `cursor` ('' for the beginning), those `wanted` that fit: jobs on `dataset` ('' for any), by its name or that
-- of a version. `in_brief` '1' leaves much of each record out. The rest: statuses, …, metadata key, value, …
-- Returns: order to go on from ('' at the end, 'unknown' for a cursor that is not in the list), snapshots.
local owner, status, newest_first, low, high, wanted, span, cursor, dataset, in_brief, status_count =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local FIRST_STATUS = 12
newest_first, wanted, span, status_count = newest_first == '1', tonumber(wanted), tonumber(span), tonumber(status_count)
local FIRST_LABEL = FIRST_STATUS + status_count

local statuses, labels = {}, {}
for i = FIRST_STATUS, FIRST_LABEL - 1 do statuses[ARGV[i]] = true end
for i = FIRST_LABEL, #ARGV, 2 do labels[ARGV[i]] = ARGV[i + 1] end

local key = status ~= '' and by_status_key(owner, status) or index_key(owner)
if cursor ~= '' then
  -- The cursor's job may have changed its status since; its place in the order has not.
  local order = redis.call('ZSCORE', index_key(owner), cursor)
  if not order then return {'unknown', {}} end
  if newest_first then high = '(' .. order else low = '(' .. order end
end

local rows
if newest_first then
  rows = redis.call('ZREVRANGEBYSCORE', key, high, low, 'WITHSCORES', 'LIMIT', 0, span)
else
  rows = redis.call('ZRANGEBYSCORE', key, low, high, 'WITHSCORES', 'LIMIT', 0, span)
end

local found, go_on = {}, ''
for i = 1, #rows, 2 do
  local id, fits = rows[i], true
  local job = redis.pcall('HMGET', job_key(id), 'status', 'metadata')
  if job.err or not job[1] then
    drop(id)
    fits = false
  elseif status_count > 0 and not statuses[job[1]] then
    fits = false
  end
  if fits and next(labels) then
    local metadata = decoded(job[2] or '') or {}
    for name, value in pairs(labels) do
      if metadata[name] ~= value then fits = false end
    end
  end
  if fits and dataset ~= '' then
    local on = (decoded(field(id, 'spec')) or {}).dataset
    fits = type(on) == 'string' and (on == dataset or string.sub(on, 1, #dataset + 1) == dataset .. '@')
  end
  if fits then found[#found + 1] = snapshot(id, in_brief == '1') end
  if #found == wanted then
    go_on = rows[i + 1]
    break
  end
end
if go_on == '' and #rows == 2 * span then go_on = rows[#rows] end
return {go_on, found}
