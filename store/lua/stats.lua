-- What was counted of all jobs, how many have each status, and how many wait in each lane.
-- Returns: three lists of name, number, …
local counted = redis.pcall('HGETALL', stats_key())
if counted.err then counted = {} end

local jobs, waiting = {}, {}
for status in pairs(ALLOWED) do
  jobs[#jobs + 1] = status
  jobs[#jobs + 1] = redis.call('ZCARD', by_status_key('*', status))
end
for _, wake_queue in ipairs(wake_queues()) do
  for _, lane in ipairs(wake_queue.lanes) do
    waiting[#waiting + 1] = lane
    waiting[#waiting + 1] = redis.call('ZCARD', queue_key(lane))
  end
end
return {counted, jobs, waiting}
