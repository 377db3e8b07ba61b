"""What waiting is: the one module that is written for each client, and not made of the other's."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Pause = Callable[[float], None]


def sleep(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)


def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What a function returns that reads or writes files."""
    return function(*args, **kwargs)
