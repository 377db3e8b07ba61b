-- Write what a worker has to tell, once. The number of a report grows by one within a claim. The rest, in fours:
--   'progress', json, '', ''          'phase', name, '', ''          'run', json, '', ''
--   'metric', json, step, score (the best epoch's is highest)          'checkpoint', json, '', ''
--   'best', json, '', '' (the checkpoint of the best epoch)          'log', json, '', ''
--   'remaining', ms that the job still takes, '', '' (by this clock that is an instant: the worker's may be another)
-- Returns: status, or nil when the claim has ended. A number that was seen changes nothing.
local id, fence, lease_ms, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local FIRST_NEWS = 5
number = tonumber(number)

if not holds(id, fence) then return false end
renew(id, lease_ms)
local key = job_key(id)
if number <= (tonumber(field(id, 'reports')) or 0) then return field(id, 'status') end
redis.call('HSET', key, 'reports', number)

for i = FIRST_NEWS, #ARGV, 4 do
  local kind, told, step, score = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if kind == 'progress' then
    redis.call('HSET', key, 'progress', told)
  elseif kind == 'remaining' then
    redis.call('HSET', key, 'finish_at', whole(now_ms() + tonumber(told)))
  elseif kind == 'log' then
    emit(id, 'log', told)
  elseif kind == 'phase' then
    redis.call('HSET', key, 'phase', told)
  elseif kind == 'run' then
    redis.call('HSET', key, 'run', told)
    emit(id, 'run', told)
  elseif kind == 'checkpoint' then
    redis.call('HSET', key, 'checkpoint', told)
    emit(id, 'checkpoint', told)
  elseif kind == 'best' then
    redis.call('HSET', key, 'best_checkpoint', told)
  elseif tonumber(step) > tonumber(redis.call('HGET', key, 'metric_step') or '0') then
    -- A resumed attempt walks again over epochs that were reported before: same bits, so nothing to add.
    redis.call('HSET', key, 'metric_step', step, 'latest', told)
    emit(id, 'metric', told)
    local seconds = (decoded(told) or {}).seconds
    if type(seconds) == 'number' then observe('epoch', seconds) end
    count('trained_examples', tonumber(field(id, 'train_examples')) or 0)
    local best = redis.call('HGET', key, 'best_score')
    if not best or tonumber(score) > tonumber(best) then
      redis.call('HSET', key, 'best_score', score, 'best', told)
    end
  end
end
touch(id)
return field(id, 'status')
