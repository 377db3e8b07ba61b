-- What a reader needs to show a job, and when a queued one should start. Put behind the prelude in every script.

-- The live workers that serve a lane, as a set of names.
local function servers(lane)
  local found, gpu = {}, string.match(lane, '^gpu:?(%d*)$')
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', workers_key(), whole(now_ms()), '+inf')) do
    local serves = not gpu
    if gpu then
      local gpus = 0
      local devices = (decoded(redis.pcall('GET', worker_key(name))) or {}).devices
      for _, device in ipairs(type(devices) == 'table' and devices or {}) do
        if device.kind == 'gpu' then gpus = gpus + 1 end
      end
      serves = gpus > (tonumber(gpu) or 0)
    end
    if serves then found[name] = true end
  end
  return found
end

-- Of a lane: in how many ms each of its workers is free, the soonest first, as far as that is known; and how many ms a
-- job runs there, nil where neither those that ran nor those that do tell. Looked up once in a call.
local outlooks = {}
local function outlook(lane)
  if outlooks[lane] then return outlooks[lane] end
  local idle, at, free, runs = servers(lane), now_ms(), {}, {}
  if not next(idle) then
    outlooks[lane] = {free = free}
    return outlooks[lane]
  end
  local usual = tonumber(redis.pcall('HGET', stats_key(), 'usual_run_ms:' .. lane))
  for _, id in ipairs(redis.call('ZRANGE', leases_key(), 0, -1)) do
    local held = redis.pcall('HMGET', job_key(id), 'worker', 'finish_at', 'claimed_at', 'status')
    if not held.err and held[1] and idle[held[1]] then
      idle[held[1]] = nil
      local finish_at, claimed_at = tonumber(held[2] or ''), tonumber(held[3] or '')
      if finish_at and claimed_at then runs[#runs + 1] = math.max(0, finish_at - claimed_at) end
      if held[4] ~= 'running' then
        finish_at = at
      elseif not finish_at and usual and claimed_at then
        finish_at = claimed_at + usual
      end
      if finish_at then free[#free + 1] = math.max(0, finish_at - at) end
    end
  end
  for _ in pairs(idle) do free[#free + 1] = 0 end
  table.sort(free)
  if not usual and #runs > 0 then
    usual = 0
    for _, ran in ipairs(runs) do usual = usual + ran / #runs end
  end
  outlooks[lane] = {free = free, usual = usual}
  return outlooks[lane]
end

-- In how many ms a job with so many before it in its lane should be claimed; nil where that is not known.
local function start_in(lane, position)
  local of = outlook(lane)
  if #of.free == 0 then return end
  if not of.usual then
    -- A worker that is idle takes its one without asking how long that runs.
    local known = position == 0 or of.free[position + 1] == 0
    return known and of.free[position + 1] or nil
  end
  local run, workers = math.max(1, of.usual), #of.free
  if of.free[workers] - of.free[1] < run then
    -- All take turns.
    return of.free[position % workers + 1] + math.floor(position / workers) * run
  end
  local low, high = of.free[1], of.free[1] + position * run
  while high - low > math.max(1, run / 50) do
    local middle, claimed = (low + high) / 2, 0
    for _, ms in ipairs(of.free) do
      if ms > middle then break end
      claimed = claimed + math.floor((middle - ms) / run) + 1
    end
    if claimed > position then high = middle else low = middle end
  end
  return high
end

-- The same as an instant in ms; '' where there is none, or none that has a date.
local HUNDRED_YEARS = 100 * 365 * 86400000
local function start_estimate(lane, position)
  local ms = start_in(lane, position)
  return ms and ms < HUNDRED_YEARS and whole(now_ms() + ms) or ''
end

-- A queued job's place in its lane, -1 where it is not there; and when it should start, to a second: what is told by the
-- millisecond would be news at each look.
local function place(lane, member)
  local position = redis.call('ZRANK', queue_key(lane), member)
  if not position then return -1, '' end
  local start_at = tonumber(start_estimate(lane, position))
  return position, start_at and whole(math.ceil(start_at / 1000) * 1000) or ''
end

-- The fields of a record that tell how the job stands.
local IN_BRIEF = {'id', 'format', 'status', 'reason', 'phase', 'spec', 'progress', 'finish_at', 'attempt', 'worker', 'latest',
  'best', 'test', 'created_at', 'started_at', 'finished_at', 'last_heartbeat_at', 'revision'}

-- What a reader needs to show a job, or to tell how it stands: position in the queue, the clock, the record; what this
-- call changed; and when a queued job should start.
local function snapshot(id, in_brief)
  local record = {}
  if in_brief then
    for i, value in ipairs(redis.call('HMGET', job_key(id), unpack(IN_BRIEF))) do
      if value then
        record[#record + 1] = IN_BRIEF[i]
        record[#record + 1] = value
      end
    end
  else
    record = redis.call('HGETALL', job_key(id))
  end
  if #record == 0 then return false end
  local position, start_at = -1, ''
  if field(id, 'status') == 'queued' then position, start_at = place(field(id, 'lane'), queue_member(id)) end
  return {position, whole(now_ms()), record, changed, start_at}
end
