"""The stack's words on their way to a terminal or a file."""

import io
from pathlib import Path
from typing import TextIO

import pytest

from gradientd.local.output import Stream


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


def spoken(stream: TextIO) -> None:
    output = Stream(stream)
    output.say("up in \ud800a\nvalkey is ready")
    output.forward("api", "\tpath=\x1b]0;x\x07\rapi is gone")


def test_a_line_stays_a_line_and_commands_nothing() -> None:
    stream = io.StringIO()
    spoken(stream)
    assert stream.getvalue().split("\n") == [
        "up in \\ud800a\\nvalkey is ready",
        "api      |         path=\\x1b]0;x\\x07\\rapi is gone",
        "",
    ]


def test_a_terminal_gets_our_colours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    spoken(terminal)
    assert terminal.getvalue().count("\x1b[") == 4
    assert terminal.getvalue().count("\x1b") == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_finds_no_room_is_lost_and_the_stack_goes_on() -> None:
    closed: list[bool] = []
    with open("/dev/full", "w") as stream:
        output = Stream(stream)
        output.on_closed = lambda: closed.append(True)
        for _ in range(3):
            output.say("x" * 10_000)
        assert not closed
