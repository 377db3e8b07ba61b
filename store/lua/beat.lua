-- Keep a claim alive. Returns: status, or nil when the claim has ended.
local id, fence, lease_ms = ARGV[1], ARGV[2], ARGV[3]
if not holds(id, fence) then return false end
renew(id, lease_ms)
return field(id, 'status')
