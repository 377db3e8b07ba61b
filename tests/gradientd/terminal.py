"""A command in a terminal of its own: a pseudo-terminal that tests read, type into and interrupt."""

import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.conftest import wait_until

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Runs a command with its standard input as the terminal that controls it: a shell stops itself without one."""


class Terminal:
    """A command with all its streams in a terminal of a size."""

    def __init__(
        self, command: Sequence[str], *, url: str, columns: int = 80, lines: int = 24, **environment: str
    ) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (lines, columns))
        kept = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**kept, "TERM": "xterm-256color", "GRADIENTD_URL": url, **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def raw(self) -> str:
        """All that was written, with what commands the terminal."""
        return self._written.decode(errors="replace").replace("\r\n", "\n")

    @property
    def text(self) -> str:
        """The same without."""
        return CONTROLS.sub("", self.raw)

    def wait_for(self, words: str) -> None:
        """Return once it is on the screen."""
        try:
            wait_until(lambda: words in self.text, what=f"{words!r} on the terminal")
        except pytest.fail.Exception:
            sys.stdout.write(self.text)  # which pytest shows beside the failure
            raise

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.type("\x03")

    def exit_code(self) -> int:
        """Its exit code, once it has ended and all it wrote has been read."""
        code = self.process.wait(30)
        self._reader.join(10)
        return code

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._reader.join(10)
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                some = os.read(self._ours, 65536)
            except OSError:  # as Linux says that nobody has the other end any more
                return
            if not some:
                return
            self._written += some


@contextmanager
def terminal_of(command: Sequence[str], **more: Any) -> Iterator[Terminal]:
    """A command in a terminal, ended at last."""
    opened = Terminal(command, **more)
    try:
        yield opened
    finally:
        opened.close()


def terminal(*arguments: str, **more: Any) -> AbstractContextManager[Terminal]:
    """`python -m gradientd` in a terminal."""
    return terminal_of([sys.executable, "-m", "gradientd", *arguments], **more)
