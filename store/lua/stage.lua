-- Say that files of a job that is about to be created are being written. Without the job they go after `lifetime_ms`.
local id, lifetime_ms = ARGV[1], ARGV[2]

redis.call('ZADD', staged_key(), whole(now_ms() + lifetime_ms), id)
return 1
