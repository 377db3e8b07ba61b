"""The extras that commands need: without any, the package installs the client and the command line alone.

A command that needs an extra is declared in a module that imports nothing of it, so that its help is always there, and
imports what it runs when it is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib.util import find_spec
from typing import ParamSpec, TypeVar

from gradientd.cli.errors import ExtraMissing

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Extra:
    """An extra of the package, and the modules by which it is known to be installed."""

    name: str
    modules: tuple[str, ...]

    @property
    def is_installed(self) -> bool:
        """Whether its modules are there. Imports none of them."""
        return all(find_spec(module) is not None for module in self.modules)


STORE = Extra("store", ("celery", "pydantic_settings", "redis", "structlog"))
"""To talk to the service's Redis."""
UP = Extra("up", (*STORE.modules, "fastapi", "uvicorn", "tensorflow"))
"""To run the whole service here. Its embedded server is not asked for: an installed one or --redis-url will do."""
NOTEBOOK = Extra("notebook", ("plotly",))
"""To write an interactive plot. Its pandas is not asked for, which only a notebook needs."""


def needs(extra: Extra, *, command: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Have a command raise ExtraMissing where its extra is not installed."""

    def decorate(run: Callable[P, R]) -> Callable[P, R]:
        @wraps(run)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if not extra.is_installed:
                raise ExtraMissing(command, extra=extra.name)
            return run(*args, **kwargs)

        return checked

    return decorate
