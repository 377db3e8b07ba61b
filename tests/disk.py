"""A disk so small that a test can fill it: a tmpfs, where this process may mount one."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SMALL_MB = 40


@contextmanager
def mounted(folder: Path, *, mb: int = SMALL_MB) -> Iterator[bool]:
    """Meanwhile a tmpfs of so many MB lies at the folder; whether it could be mounted."""
    folder.mkdir(exist_ok=True)
    options = ("-t", "tmpfs", "-o", f"size={mb}m", "tmpfs", str(folder))
    done = subprocess.run(["mount", *options], capture_output=True, check=False) if os.geteuid() == 0 else None
    is_mounted = done is not None and done.returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on the folder's disk; the file that takes it."""
    filler = folder / "filler"
    size = 1 << 20
    with filler.open("ab", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
    return filler
