"""The memory of a process and of what it runs on."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from worker import memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def system(tmp_path: Path, groups: str, limits: dict[str, str]) -> tuple[Path, Path]:
    """A /proc of a process in these control groups, and the groups with their limits."""
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(groups)
    for name, limit in limits.items():
        (cgroups / name).parent.mkdir(parents=True, exist_ok=True)
        (cgroups / name).write_text(f"{limit}\n")
    return proc, cgroups


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1000000"}, 1_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "2000000"}, 2_000_000),
        ("0::/a\n", {"a/memory.max": "max"}, MACHINE),
        ("4:memory:/docker/x\n0::/\n", {"memory/memory.limit_in_bytes": "3000000"}, 3_000_000),
        ("4:memory:/x\n", {"memory/x/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
        ("3:cpuset:/\n", {"memory.max": "5"}, MACHINE),
    ],
)
def test_a_containers_limit_is_what_there_is(
    tmp_path: Path, groups: str, limits: dict[str, str], expected: int
) -> None:
    assert memory.there_is_bytes(*system(tmp_path, groups, limits)) == expected


def test_without_control_groups_there_is_the_machines(tmp_path: Path) -> None:
    assert memory.there_is_bytes(tmp_path, tmp_path) == MACHINE
    assert memory.held_bytes(tmp_path) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process' peak")
def test_a_peak_is_forgotten_once_it_is_past() -> None:
    size = 200 << 20
    before = memory.held_bytes()
    values = np.ones(size, np.uint8)
    assert memory.held_bytes() >= before + size * 0.9
    del values
    memory.give_back()
    assert memory.peak_bytes() >= before + size * 0.9
    memory.forget_peak()
    assert memory.peak_bytes() < before + size * 0.5
