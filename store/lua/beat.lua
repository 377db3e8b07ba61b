-- Keep a claim alive. ARGV: id, fence, lease_ms. Returns: status, or nil when the claim has ended.
if not holds(ARGV[1], ARGV[2]) then return false end
renew(ARGV[1], ARGV[3])
return field(ARGV[1], 'status')
