"""The command line's exit codes: what each ending of a job or a command has."""

from enum import IntEnum

from gradientd.cli.errors import AmbiguousJob, ExtraMissing, KeyNotFound, NoSuchJob, SpecRefused
from gradientd.cli.refusals import refusal_lines
from gradientd.client.errors import InvalidUrl, NotSupported, Refused, ServerUnreachable, UnexpectedAnswer
from gradientd.local.errors import CannotStart, GaveUp
from jobs.errors import GradientdError, Misconfigured
from jobs.states import Status


class ExitCode(IntEnum):
    """The command line's exit codes."""

    SUCCEEDED = 0
    FAILED = 1
    REFUSED = 2
    CANCELLED = 3
    UNREACHABLE = 4
    INTERRUPTED = 130
    PIPE_CLOSED = 141


UNAUTHORIZED = 401

EXIT_CODES_HELP = (
    "Exit codes: 0 done, or the job succeeded; 1 the job or the stack failed; 2 bad usage, or the server refused; "
    "3 the job was cancelled, or the question whether to go on was not answered by yes: nothing was done; "
    "4 the server cannot be reached; 130 interrupted; 141 who read the output has closed it."
)


def of_job(status: Status) -> ExitCode:
    """The code for a job that ended with this status."""
    return {Status.SUCCEEDED: ExitCode.SUCCEEDED, Status.CANCELLED: ExitCode.CANCELLED}.get(status, ExitCode.FAILED)


def of_error(error: GradientdError) -> ExitCode:
    """The code for a command that ended with this error."""
    if isinstance(error, InvalidUrl):
        return ExitCode.REFUSED
    if isinstance(error, (ServerUnreachable, UnexpectedAnswer)):
        return ExitCode.UNREACHABLE
    if isinstance(error, (Refused, CannotStart, KeyNotFound, NoSuchJob, AmbiguousJob, Misconfigured, ExtraMissing)):
        return ExitCode.REFUSED
    return ExitCode.FAILED


def explain(error: GradientdError) -> list[str]:
    """What to tell the user of an error: a line, and one for each wrong field."""
    said = str(error)
    if isinstance(error, GaveUp):  # its own words, with the last lines of a part
        return said.splitlines()
    if not isinstance(error, Refused) or isinstance(error, NotSupported):
        return [said]
    if error.problem.status == UNAUTHORIZED:
        return [
            said,
            "  give one with GRADIENTD_API_KEY or --api-key; whoever runs the server makes it: gradientd keys create",
        ]
    return refusal_lines(error.problem, body=error.body if isinstance(error, SpecRefused) else None)
