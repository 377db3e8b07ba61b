"""How a peer is driven: warm up, say so, then measure as often as each line of input says. JSON lines out."""

import json
import os
import sys
from collections.abc import Callable


def serve(measure: Callable[[], float], *, version: str) -> None:
    """Measure once and drop it; then answer each line `N` with N values."""
    # Libraries that print would break the protocol: standard output becomes the log.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: dict[str, object]) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    measure()
    say({"warm": version})
    for line in sys.stdin:
        say({"values": [measure() for _ in range(int(line))]})
