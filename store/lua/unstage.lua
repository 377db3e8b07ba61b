-- Leave the files of a job that was not created after all to be deleted. Of one that is there nothing is changed.
local id = ARGV[1]

redis.call('ZREM', staged_key(), id)
if redis.call('EXISTS', job_key(id)) == 0 then redis.call('SADD', trash_key(), id) end
return 1
