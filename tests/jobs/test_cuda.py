"""CUDA_VISIBLE_DEVICES is read as CUDA reads it: up to its first invalid entry."""

from pathlib import Path

import pytest

from jobs.cuda import listed_devices, visible_devices


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("", ()),
        ("-1", ()),
        ("0", ("0",)),
        ("1,0", ("1", "0")),
        (" 1 , 0 ", ("1", "0")),
        ("0,,1", ("0",)),
        (",0", ()),
        ("0,-1,1", ("0",)),
        ("0,99,GPU-abc", ("0",)),
        ("2", ()),
        ("GPU-abc,0", ("GPU-abc", "0")),
        ("MIG-1234", ("MIG-1234",)),
    ],
)
def test_the_list_ends_at_its_first_invalid_entry(text: str, visible: tuple[str, ...]) -> None:
    assert visible_devices({"CUDA_VISIBLE_DEVICES": text}, count=2) == visible


def test_where_nobody_knows_the_count_any_number_may_be_a_device() -> None:
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "0,99,GPU-abc"}, count=0) == ("0", "99", "GPU-abc")


def test_without_the_variable_nothing_is_chosen() -> None:
    assert visible_devices({}, count=2) is None


def test_devices_are_listed_in_the_bus_order(tmp_path: Path) -> None:
    for address in ("0000:3b:00.0", "0000:06:00.0"):
        (tmp_path / address).mkdir()
    assert listed_devices(tmp_path) == ("0000:06:00.0", "0000:3b:00.0")
    assert listed_devices(tmp_path / "none") == ()
