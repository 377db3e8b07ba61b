-- Write what a worker has to tell, once. ARGV: id, fence, lease_ms, report number (grows by one within a claim),
-- then kind, a, b, c, … in fours:
--   'progress', json, '', ''          'phase', name, '', ''          'run', json, '', ''
--   'metric', json, step, val_accuracy          'checkpoint', json, '', ''
--   'best', json, '', '' (the checkpoint of the best epoch)
-- Returns: status, or nil when the claim has ended. A number that was seen changes nothing.
local id, fence, number = ARGV[1], ARGV[2], tonumber(ARGV[4])
if not holds(id, fence) then return false end
renew(id, ARGV[3])
local key = job_key(id)
if number <= tonumber(field(id, 'reports')) then return field(id, 'status') end
redis.call('HSET', key, 'reports', number)

for i = 5, #ARGV, 4 do
  local kind, a, b, c = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if kind == 'progress' then
    redis.call('HSET', key, 'progress', a)
  elseif kind == 'phase' then
    redis.call('HSET', key, 'phase', a)
  elseif kind == 'run' then
    redis.call('HSET', key, 'run', a)
    emit(id, 'run', a)
  elseif kind == 'checkpoint' then
    redis.call('HSET', key, 'checkpoint', a)
    emit(id, 'checkpoint', a)
  elseif kind == 'best' then
    redis.call('HSET', key, 'best_checkpoint', a)
  elseif tonumber(b) > tonumber(redis.call('HGET', key, 'metric_step') or '0') then
    -- A resumed attempt walks again over epochs that were reported before: same bits, so nothing to add.
    redis.call('HSET', key, 'metric_step', b, 'latest', a)
    emit(id, 'metric', a)
    if tonumber(c) > tonumber(redis.call('HGET', key, 'best_score') or '-1') then
      redis.call('HSET', key, 'best_score', c, 'best', a)
    end
  end
end
touch(id)
return field(id, 'status')
