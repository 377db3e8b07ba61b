"""What Ctrl-C does while a command's modules come in, which takes most of its first second."""

import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def silent_interrupts() -> Generator[None]:
    """Let Ctrl-C end the process at once, as it does one that has no handler: nothing has been done that could be told.

    Not an exception, which some packages turn into one of theirs. Does nothing where Ctrl-C is handled otherwise.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    except ValueError:  # not the main thread, which alone may
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
