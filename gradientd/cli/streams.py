"""Standard output and error of a command, wherever they lead: a full disk, a pipe that was closed, nowhere."""

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from io import TextIOWrapper

from gradientd.cli.exit_codes import ExitCode
from gradientd.cli.options import complain
from gradientd.local.output import forget


@contextmanager
def written_output() -> Generator[None]:
    """See a command's output written; what cannot be, or read, ends it with a line instead of a traceback.

    Raises:
        SystemExit: with `FAILED`; with `PIPE_CLOSED`, and nothing said, where a reader closed the pipe: it has read
            enough.
    """
    prepare()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        forget(sys.stdout)
        if error.errno == errno.EPIPE:
            sys.exit(ExitCode.PIPE_CLOSED)
        complain(f"cannot go on: {error}")
        sys.exit(ExitCode.FAILED)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich and the option parser end by themselves, with 1
            forget(sys.stdout)
            sys.exit(ExitCode.PIPE_CLOSED)
        raise


def prepare() -> None:
    """Have streams that the caller closed lead nowhere, for a socket must not get their numbers, and letters that the
    terminal's encoding lacks stand as escapes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (as long as the process runs)
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
