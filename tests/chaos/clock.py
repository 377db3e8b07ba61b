"""The store's clock as the suite sets it: every script of its processes reads `<namespace>:chaos:clock` beside TIME.

The product knows nothing of this: a script of this suite finds another `redis` before it, whose TIME is shifted.
Import it before any script is loaded. What ends by a TTL of Redis' own goes by the real clock.
"""

import store.keys
from store.keys import Keys

_SHIFTED = """
local redis = (function(real)
  local function call(name, ...)
    local reply = real.call(name, ...)
    if name ~= 'TIME' then return reply end
    return {tonumber(reply[1]) + tonumber(real.call('GET', NS .. ':chaos:clock') or '0'), reply[2]}
  end
  return setmetatable({call = call}, {__index = real})
end)(redis)
"""

_builders = store.keys.lua_builders


def key(keys: Keys) -> str:
    """Where the seconds stand by which the clock is off."""
    return f"{keys.namespace}:chaos:clock"


def shifted_builders() -> str:
    """What stands before every script."""
    return _SHIFTED + _builders()


store.keys.lua_builders = shifted_builders
