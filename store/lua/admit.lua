-- Look an API key up and count a request of it.
-- `digest` is the SHA-256 of the secret, `per_minute` the rate of a key that has none of its own and is no admin's (0: any
-- number), `given` '1' for a key that need not be stored here.
-- Returns: JSON of the key ('' for one that is not stored), 0 or the microseconds to wait; nil for an unknown key.
--
-- The rate is kept as GCRA does: one time for each key, at which its next request is due. A minute's requests may come
-- at once; after that they come as time passes. That time stays in memory: losing it harms nobody, and reading a job
-- must not cost a write to the disk.
local id, digest, per_minute, given = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
per_minute = tonumber(per_minute)
local text, us = '', now_us()
if given ~= '1' then
  text = redis.call('HGET', api_key_key(id), 'record')
  if not text then return false end
  local record = decoded(text)
  -- Lua compares strings by address, so this takes the same time for all; and both are hashes.
  if not record or record.digest ~= digest then return false end
  for _, scope in ipairs(record.scopes) do
    if scope == 'admin' then per_minute = 0 end
  end
  local own = record.limits.requests_per_minute
  if type(own) == 'number' then per_minute = own end
  local used_at = tonumber(redis.call('HGET', api_key_key(id), 'last_used_at') or '0')
  if math.abs(us / 1000 - used_at) > 60000 then redis.call('HSET', api_key_key(id), 'last_used_at', whole(us / 1000)) end
end
if per_minute == 0 then return {text, 0} end

local minute = 60000000
local due = tonumber(redis.call('GET', rate_key(id)) or '0')
-- It never lies more than a minute ahead, unless the clock was set back since.
if due < us or due > us + minute then due = us end
due = due + minute / per_minute
if due - us > minute then return {text, math.ceil(due - us - minute)} end
redis.set_repl(redis.REPL_NONE)
-- Longer than any time that counts: an expiry, unlike this write, goes to the disk.
redis.call('SET', rate_key(id), whole(due), 'PX', whole(2 * minute / 1000))
redis.set_repl(redis.REPL_ALL)
return {text, 0}
