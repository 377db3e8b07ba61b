-- Set bytes aside for an upload that is about to come, unless its owner's datasets would then take more than they may.
-- The same token again changes its bytes. Set aside bytes come free by themselves after `lifetime_ms`.
-- Returns: 1 or 0, and the bytes that were taken without these.
local owner, token, bytes, most_bytes, lifetime_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local taken = taken_bytes(owner, token)
if taken + tonumber(bytes) > tonumber(most_bytes) then return {0, taken} end
redis.call('HSET', reserved_bytes_key(owner), token, bytes .. ' ' .. whole(now_ms() + lifetime_ms))
if redis.call('PTTL', reserved_bytes_key(owner)) < tonumber(lifetime_ms) then
  redis.call('PEXPIRE', reserved_bytes_key(owner), lifetime_ms)
end
return {1, taken}
