"""What can go wrong at the command line itself; the docstring says what to do."""

from collections.abc import Mapping
from typing import Any

from gradientd.client.errors import Refused
from jobs.errors import GradientdError
from jobs.wire import Problem


class KeyNotFound(GradientdError):
    """No API key with this id is stored. `gradientd keys list` shows those that are."""

    code = "key_not_found"


class NoSuchJob(GradientdError):
    """No job's id is or begins with what was given. `gradientd jobs` shows those that there are."""

    code = "job_not_found"


class AmbiguousJob(GradientdError):
    """Several jobs' ids begin with what was given. Give more of the one that is meant."""

    code = "ambiguous_job"


class SpecRefused(Refused):
    """The server refused a spec. Correct the fields that it names; `body` is what was sent."""

    def __init__(self, problem: Problem, *, body: Mapping[str, Any]) -> None:
        super().__init__(problem)
        self.body = body


class ExtraMissing(GradientdError):
    """The command needs packages that were not installed. Install the extra that the message names."""

    code = "extra_missing"

    def __init__(self, command: str, *, extra: str) -> None:
        super().__init__(f'{command} needs the extra "{extra}": pip install "gradientd[{extra}]"')
