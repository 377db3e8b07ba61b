"""The data directory of a stack: one stack at a time may hold it, and a file in it says which."""

import fcntl
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from gradientd.local.errors import CannotStart
from store.files import PRIVATE, atomic_write

DYING_SECONDS = 10.0
"""Longest wait for the store of a stack that was killed to finish its own end."""
RETRY_SECONDS = 0.05


class Holder(BaseModel):
    """Which stack holds a data directory."""

    model_config = ConfigDict(frozen=True)

    pid: int
    url: str
    started_at: datetime


class DataDirectory:
    """A data directory, to be locked by one stack.

    Two locks of the kernel (`flock`), which end with the processes that hold them, however those end: one that only
    this process holds says that a stack runs; the other, `store_lock_fd`, is to be inherited by the store, and says
    that the data are in use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.store_lock_fd = -1
        self._stack_lock_fd = -1
        self._state = self.path / "stack.json"

    def lock(self, *, url: str, dying_seconds: float = DYING_SECONDS) -> None:
        """Take the directory for this process and say so in `stack.json`; made if missing.

        The store of a stack that was killed may still be about to end; it is given `dying_seconds`.

        Raises:
            CannotStart: another stack holds it, or it cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._stack_lock_fd = open_lock(self.path / "stack.lock")
            self.store_lock_fd = open_lock(self.path / "store.lock")
            if not wait_for_lock(self._stack_lock_fd, within_seconds=0):
                raise CannotStart(self._in_use())
            if not wait_for_lock(self.store_lock_fd, within_seconds=dying_seconds):
                raise CannotStart(f"the store of a stack that was killed still runs on {self.path}; end it first")
            holder = Holder(pid=os.getpid(), url=url, started_at=datetime.now(UTC))
            atomic_write(self._state, holder.model_dump_json().encode(), mode=PRIVATE)
        except OSError as error:
            self._close()
            raise CannotStart(f"cannot use {self.path} as the data directory: {error.strerror}") from error
        except CannotStart:
            self._close()
            raise

    def unlock(self) -> None:
        """Give the directory back, if it was taken."""
        if self.store_lock_fd >= 0:
            self._state.unlink(missing_ok=True)
        self._close()

    def holder(self) -> Holder | None:
        """The stack that last said it holds the directory and did not say otherwise since."""
        try:
            return Holder.model_validate_json(self._state.read_bytes())
        except (OSError, ValidationError):
            return None

    def _close(self) -> None:
        for descriptor in (self._stack_lock_fd, self.store_lock_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self._stack_lock_fd = self.store_lock_fd = -1

    def _in_use(self) -> str:
        holder = self.holder()
        who = f"the stack at {holder.url} (pid {holder.pid})" if holder else "another stack"
        return f"the data directory {self.path} is in use by {who}; stop it, or name another one with --data-dir"


def open_lock(path: Path) -> int:
    """A descriptor to lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def wait_for_lock(descriptor: int, *, within_seconds: float) -> bool:
    """Whether the lock could be had within the time."""
    until = time.monotonic() + within_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(RETRY_SECONDS)
        else:
            return True
