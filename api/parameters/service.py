"""What operations on the service itself take.

Fields of a dataclass are read in their order, so the first that cannot be is the one that is refused.
"""

from dataclasses import dataclass
from typing import Annotated

from api.http.params import Segment


@dataclass(frozen=True, slots=True)
class ProblemName:
    """Which kind of problem."""

    code: Annotated[str, Segment("code", str, "The problem's `code`.", "job_not_found")]
