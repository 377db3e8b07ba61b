"""Refuses cursors that no page has given."""

from api.http import kinds
from api.http.problems import Refused, shortened
from jobs.wire import FieldError


def not_a_cursor(text: str, wanted: str, *, parameter: str = "after") -> Refused:
    """The problem of a cursor that is something else than is wanted."""
    detail = f"the cursor {shortened(text, 100)!r} is not {wanted}"
    return Refused(kinds.INVALID_CURSOR, detail, errors=[FieldError(parameter=parameter, detail=detail)])
