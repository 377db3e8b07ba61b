"""How this program was called, so that the commands it proposes can be typed as they stand."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import typer

NAME = "gradientd"
AS_MODULE = f"python -m {NAME}"
COMPLETION = frozenset({"--show-completion", "--install-completion"})


def called_as() -> str:
    """`gradientd` where that is on the PATH; else the path by which it was called, or `python -m gradientd`."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == (NAME, "__main__.py"):
        return AS_MODULE
    found = shutil.which(NAME)
    if called.name != NAME or not called.exists() or (found and os.path.samefile(found, called)):
        return NAME
    return quote(sys.argv[0])


def check_completion(arguments: Sequence[str]) -> None:
    """Raise typer.BadParameter where completion is asked for of what no shell can complete: the name has to be one
    word."""
    if called_as() == AS_MODULE and arguments and arguments[0] in COMPLETION:
        raise typer.BadParameter(f"a shell completes the command {NAME}, not {AS_MODULE}", param_hint=arguments[0])
