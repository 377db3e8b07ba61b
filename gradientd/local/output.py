"""Where a stack's words go: its own announcements, and its processes' lines with their names before them."""

import os
from collections.abc import Callable
from typing import Protocol, TextIO

from jobs.escapes import escaped

PREFIX_COLOURS = (36, 35, 33, 32, 34, 31)
"""ANSI foregrounds, in the order in which names first speak."""


class Output(Protocol):
    """What a supervisor writes to."""

    def say(self, text: str) -> None:
        """Announce something about the stack itself."""
        ...

    def forward(self, name: str, line: str) -> None:
        """Pass on one line that the process `name` wrote."""
        ...


class Stream:
    """Output to a text stream, coloured on a terminal.

    Once nobody reads it, calls `on_closed` and falls silent. A line that cannot be written, as to a file on a full
    disk, is lost, and the stack goes on.
    """

    def __init__(self, stream: TextIO) -> None:
        self.on_closed: Callable[[], object] = lambda: None
        self._stream = stream
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._names: dict[str, int] = {}
        self._closed = False

    def say(self, text: str) -> None:
        """Announce something about the stack itself."""
        text = escaped(text)
        self._write(f"\x1b[1m{text}\x1b[0m" if self._coloured else text)

    def forward(self, name: str, line: str) -> None:
        """Pass on one line that the process `name` wrote."""
        place = self._names.setdefault(name, len(self._names))
        prefix = f"{name:<{self._width()}} |"
        if self._coloured:
            prefix = f"\x1b[{PREFIX_COLOURS[place % len(PREFIX_COLOURS)]}m{prefix}\x1b[0m"
        self._write(f"{prefix} {escaped(line.expandtabs())}")

    def _width(self) -> int:
        return max(8, *(len(name) for name in self._names))

    def _write(self, line: str) -> None:
        if self._closed:
            return
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            self._closed = True
            forget(self._stream)
            self.on_closed()
        except OSError:
            pass


def forget(stream: TextIO) -> None:
    """Send what a broken pipe still has buffered nowhere, so that the interpreter's flush at exit does not complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
