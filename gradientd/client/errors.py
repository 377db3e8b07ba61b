"""What can go wrong between the client and a server; the docstring says what to do."""

from jobs.errors import GradientdError
from jobs.escapes import escaped
from jobs.wire import Problem


class ServerUnreachable(GradientdError):
    """Nothing answers at the URL, or its store is away. Start a server (`gradientd up`) or correct the URL.

    `problem` is what the server said, where it said something; `retry_after_seconds` when it asked to be asked again.
    """

    code = "server_unreachable"

    def __init__(
        self, message: str, *, problem: Problem | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds


class InvalidUrl(ServerUnreachable, ValueError):
    """What was given as the server's address can be none. Correct it."""

    code = "invalid_url"


class UnexpectedAnswer(GradientdError):
    """Something answers at the URL, but not as a gradientd server does. Correct the URL or match the versions."""

    code = "unexpected_answer"


class Refused(GradientdError):
    """The server understood the request and refused it. `problem` says why, field by field.

    `retry_after_seconds` is when the server asked to be asked again, where it did (status 429).
    """

    code = "refused"

    def __init__(self, problem: Problem, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem.detail or problem.title or f"the server answered {problem.status}")
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds
        self.code = problem.code or self.code


class NotSupported(Refused):
    """The server does not know what was asked for: it is older than this client. Do without it, or update the server.

    `missing` is what it does not know, `server_version` its version, empty where it does not tell.
    """

    def __init__(self, problem: Problem, *, missing: str, server_version: str, client_version: str) -> None:
        super().__init__(problem)
        told = f"gradientd {server_version}" if server_version else "of a version that it does not tell"
        self.args = (f"this server does not know {missing}: it is {told}, this client {client_version}",)
        self.missing = missing
        self.server_version = server_version


class StillRunning(GradientdError, TimeoutError):
    """The job did not end within the time that was waited for it. It goes on: wait again, or cancel it.

    `status` is the last that the server told; empty where it told none in that time.
    """

    code = "still_running"

    def __init__(self, job_id: str, *, status: str, seconds: float) -> None:
        said = f"is {status} after {seconds:g} s of waiting; it goes on" if status else f"told nothing in {seconds:g} s"
        super().__init__(escaped(f"{job_id} {said}"))
        self.job_id = job_id
        self.status = status


class ExtraMissing(GradientdError, ImportError):
    """A package is missing that the client does without elsewhere. Install the extra that the message names."""

    code = "extra_missing"

    def __init__(self, what: str, *, package: str) -> None:
        super().__init__(f"{what} needs {package}: pip install 'gradientd[notebook]'")
        self.package = package
