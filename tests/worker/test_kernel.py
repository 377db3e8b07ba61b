"""What the kernel tells may be named in any bytes, or not be there."""

import os
from pathlib import Path

from worker.kernel import lines_of
from worker.memory import there_is_bytes


def test_lines_may_hold_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "stat").write_bytes(b"1 (\xff\xfe) S\n2\n")
    assert [os.fsencode(line) for line in lines_of(tmp_path / "stat")] == [b"1 (\xff\xfe) S", b"2"]


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "stat") == []


def test_the_limit_of_a_group_with_an_odd_name_is_found(tmp_path: Path) -> None:
    group = tmp_path / "groups" / os.fsdecode(b"d\xff.slice")
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1048576\n")
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_bytes(b"0::/d\xff.slice\n")
    assert there_is_bytes(proc=tmp_path, cgroups=tmp_path / "groups") == 1 << 20
