-- One stretch of a list. ARGV: owner, status or '', newest first ('1' | '0'), lowest order, highest order,
-- rows wanted, rows to look at, cursor id or '', then status filter count, statuses…, then metadata key, value, …
-- Returns: order to go on from ('' at the end, 'unknown' for a cursor that is not in the list), snapshots.
local owner, status, newest_first = ARGV[1], ARGV[2], ARGV[3] == '1'
local low, high, wanted, span, cursor = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local statuses, n = {}, tonumber(ARGV[9])
for i = 10, 9 + n do statuses[ARGV[i]] = true end

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
  local job = redis.call('HMGET', job_key(id), 'status', 'metadata')
  if not job[1] or (n > 0 and not statuses[job[1]]) then fits = false end
  if fits and #ARGV > 9 + n then
    local metadata = cjson.decode(job[2])
    for j = 10 + n, #ARGV, 2 do
      if metadata[ARGV[j]] ~= ARGV[j + 1] then fits = false end
    end
  end
  if fits then found[#found + 1] = snapshot(id) end
  if #found == wanted then
    go_on = rows[i + 1]
    break
  end
end
if go_on == '' and #rows == 2 * span then go_on = rows[#rows] end
return {go_on, found}
