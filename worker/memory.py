"""The memory of this process and of what it runs on: how much it holds, how much there is, what it can give back."""

import ctypes
import gc
import os
from contextlib import suppress
from pathlib import Path

from worker.kernel import lines_of

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def held_bytes(proc: Path = PROC) -> int:
    """What this process has in memory now (its resident set); 0 where the system does not tell."""
    return _status("VmRSS", proc)


def peak_bytes(proc: Path = PROC) -> int:
    """The most that this process has had in memory, since it began or `forget_peak` was called."""
    return _status("VmHWM", proc)


def forget_peak(proc: Path = PROC) -> None:
    """Let the peak be what is held now. Does nothing where the system does not allow it."""
    with suppress(OSError):
        (proc / "self" / "clear_refs").write_text("5")


def give_back() -> None:
    """Return to the system what the allocator keeps for later."""
    gc.collect()
    # Where the C library is not glibc, there is nothing to ask.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def there_is_bytes(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """What this process may hold at most: the machine's memory, or the limit of a container around it."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_limits(proc, cgroups)])


def _status(name: str, proc: Path) -> int:
    lines = lines_of(proc / "self" / "status")
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _limits(proc: Path, cgroups: Path) -> list[int]:
    """The limits of the control groups that this process is in, of either version, those above them included."""
    found: list[int] = []
    for line in lines_of(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers in {"", "memory"}:
            root = cgroups / controllers
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            group = root / path.strip("/")
            # In a container the path may be the host's; its own group is then the root that it sees.
            found += [limit for folder in (group, *group.parents) if (limit := _limit(folder / name))]
    return found


def _limit(file: Path) -> int | None:
    """A limit; None where there is none ("max") or no such file."""
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):
        return None
