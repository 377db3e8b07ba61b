"""The log: one line an event, whatever its values hold."""

import logging

import pytest
import structlog

from jobs.logs import configure_logging

HOSTILE = "a\x1b]0;x\x07b\rc\nd\u2028e\u202ef"


@pytest.fixture(autouse=True)
def _logging_as_before():
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def test_a_strangers_text_stays_within_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    structlog.get_logger("ours").info("request", path=HOSTILE, nested={"key": HOSTILE})
    logging.getLogger("theirs").warning("of another library: %s", HOSTILE)
    lines = capsys.readouterr().err.split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert "\\x1b]0;x\\x07" in lines[0]


def test_a_traceback_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        structlog.get_logger("ours").exception("crashed")
    (line, rest) = capsys.readouterr().err.split("\n")
    assert line.isprintable()
    assert rest == ""
    assert "ValueError" in line
