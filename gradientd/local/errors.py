"""What can go wrong with a stack on this machine; the docstring says what to do."""

from jobs.errors import GradientdError


class CannotStart(GradientdError):
    """Something has to change before the stack can start; the message says what. Nothing was started."""

    code = "cannot_start"


class StoreDamaged(GradientdError):
    """The embedded store's log is damaged in a way that is not safe to repair unasked."""

    code = "store_damaged"


class GaveUp(GradientdError):
    """A part of the stack did not become ready, repeatedly. Its last output is in the message."""

    code = "gave_up"
