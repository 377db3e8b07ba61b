"""Drives a peer: a process that measures on request and is idle otherwise, so that rounds can be interleaved."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from bench.figure import Spread
from bench.stack import Broken, Stack


class Peer:
    """A started peer; see `bench.peers.protocol` for what it answers."""

    def __init__(self, name: str, process: subprocess.Popen[str], stack: Stack) -> None:
        self.name = name
        self.rounds: list[float] = []
        self._process = process
        self._stack = stack
        self.version = ""

    def wait_until_warm(self) -> None:
        """Return once it has run its first, dropped measurement."""
        if self.version:
            return
        self.version = str(self._answer()["warm"])

    def measure(self, times: int = 1) -> None:
        """Add a round: the median of so many measurements."""
        assert self._process.stdin
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        self.rounds.append(Spread.of(self._answer()["values"]).median)

    @property
    def spread(self) -> Spread:
        """The rounds so far."""
        return Spread.of(self.rounds)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._process.wait(10)
            self._stack.processes.check()
            raise Broken(f"{self.name} closed its output")
        return json.loads(line)


def start(
    stack: Stack,
    name: str,
    module: str,
    *arguments: str,
    python: str = sys.executable,
    wait: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Peer:
    """Start `python -m bench.peers.<module> DATASET ARGUMENT …` and wait until it is warm.

    Without `wait` it warms up beside whatever else runs: for who does not care about the numbers.
    """
    command = [python, "-m", f"bench.peers.{module}", str(stack.folder.arrays), *arguments]
    peer = Peer(name, stack.processes.start(module, command, environment or {}, talks=True), stack)
    if wait:
        peer.wait_until_warm()
    return peer
