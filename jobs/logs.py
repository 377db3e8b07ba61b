"""How all parts log: one line an event, `key=value`, with the fields bound around it."""

import logging
import re
import sys
from typing import Any

import structlog

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """The text with control characters, and those that turn its direction, written as escapes.

    For whatever a stranger may have written, before it meets a log or a terminal: it can neither forge a line nor
    command the terminal.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _one_line(_: Any, __: str, rendered: Any) -> str:
    """The line that was rendered, whatever stood in its values."""
    return escaped(rendered)


def configure_logging(level: str) -> None:
    """Send structlog's and the standard library's records to standard error in one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
            _one_line,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
