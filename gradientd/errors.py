"""What can go wrong for the person at the command line or the Python client; the docstring says what to do."""

from pydantic import BaseModel, ConfigDict

from jobs.errors import GradientdError

# --- talking to a server --------------------------------------------------------------------------


class ServerUnreachable(GradientdError):
    """Nothing answers at the URL, or its store is away. Start a server (`gradientd up`) or correct the URL."""

    code = "server_unreachable"


class UnexpectedAnswer(GradientdError):
    """Something answers at the URL, but not as a gradientd server does. Correct the URL or match the versions."""

    code = "unexpected_answer"


class BadField(BaseModel):
    """One wrong value of a request: in its body by RFC 6901 pointer, elsewhere by parameter."""

    model_config = ConfigDict(frozen=True)

    pointer: str | None = None
    parameter: str | None = None
    detail: str = ""


class Problem(BaseModel):
    """A server's refusal in the shape of RFC 9457; members it may leave out are empty."""

    model_config = ConfigDict(frozen=True)

    status: int
    code: str = ""
    title: str = ""
    detail: str = ""
    request_id: str | None = None
    errors: tuple[BadField, ...] = ()


class Refused(GradientdError):
    """The server understood the request and refused it. `problem` says why, field by field."""

    code = "refused"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title or f"the server answered {problem.status}")
        self.problem = problem
        self.code = problem.code or self.code


class KeyNotFound(GradientdError):
    """No API key with this id is stored. `gradientd keys list` shows those that are."""

    code = "key_not_found"


# --- running a stack ------------------------------------------------------------------------------


class CannotStart(GradientdError):
    """Something has to change before the stack can start; the message says what. Nothing was started."""

    code = "cannot_start"


class StoreDamaged(GradientdError):
    """The embedded store's log is damaged in a way that is not safe to repair unasked."""

    code = "store_damaged"


class GaveUp(GradientdError):
    """A part of the stack did not become ready, repeatedly. Its last output is in the message."""

    code = "gave_up"
