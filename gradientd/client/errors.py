"""What can go wrong between the client and a server; the docstring says what to do."""

from jobs.errors import GradientdError
from jobs.wire import Problem


class ServerUnreachable(GradientdError):
    """Nothing answers at the URL, or its store is away. Start a server (`gradientd up`) or correct the URL."""

    code = "server_unreachable"


class UnexpectedAnswer(GradientdError):
    """Something answers at the URL, but not as a gradientd server does. Correct the URL or match the versions."""

    code = "unexpected_answer"


class Refused(GradientdError):
    """The server understood the request and refused it. `problem` says why, field by field."""

    code = "refused"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title or f"the server answered {problem.status}")
        self.problem = problem
        self.code = problem.code or self.code


class StillRunning(GradientdError, TimeoutError):
    """The job did not end within the time that was waited for it. It goes on: wait again, or cancel it."""

    code = "still_running"

    def __init__(self, job_id: str, *, status: str, seconds: float) -> None:
        super().__init__(f"{job_id} is {status} after {seconds:g} s of waiting; it goes on")
        self.job_id = job_id
        self.status = status
