"""Text that a stranger may have written, made safe for a log, a terminal or a spreadsheet."""

import math
import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks of Unicode, what turns the direction of text, and what no encoding can write."""


def escaped(text: str) -> str:
    """The text as one line that can neither forge another nor command a terminal: what could is an escape."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escaped_json(document: str) -> str:
    """JSON, indented or not, that says the same and commands no terminal either."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", document)


def disarmed(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    try:
        is_number = math.isfinite(float(text))
    except ValueError:
        is_number = False
    return text if is_number or not text.startswith(("=", "+", "-", "@", "\t", "\r")) else f"'{text}"
