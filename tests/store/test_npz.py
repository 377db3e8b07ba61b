"""Arrays as a file, part by part."""

import io
from pathlib import Path

import numpy as np
import pytest

from store.npz import NpzReader, Unreadable, npz_parts

ARRAYS = {
    "weights/000": np.arange(12, dtype=np.float32).reshape(3, 4),
    "turned": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "seconds": np.array(1.5),
    "none": np.zeros((0, 3), np.float32),
    "position": np.array([3, 7], np.int64),
}


def test_numpy_reads_what_was_written() -> None:
    with np.load(io.BytesIO(b"".join(npz_parts(ARRAYS.items()))), allow_pickle=False) as found:
        assert found.files == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
            assert (found[name] == array).all()


def test_an_arrays_values_are_not_copied() -> None:
    array = np.arange(1000, dtype=np.float32)
    assert any(np.shares_memory(array, np.frombuffer(part, np.uint8)) for part in npz_parts([("a", array)]))


def test_the_same_arrays_give_the_same_bytes() -> None:
    assert b"".join(npz_parts(ARRAYS.items())) == b"".join(npz_parts(ARRAYS.items()))


def test_arrays_are_read_one_by_one_by_their_heads(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"".join(npz_parts(ARRAYS.items())))
    with NpzReader(path) as reader:
        assert reader.shapes == {name: array.shape for name, array in ARRAYS.items()}
        assert list(reader.shapes) == list(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(reader.read(name), array)


@pytest.mark.parametrize("content", [b"", b"no zip", b"".join(npz_parts(ARRAYS.items()))[:-30]])
def test_what_is_no_archive_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        NpzReader(path)


def test_a_damaged_array_is_found_when_it_is_read(tmp_path: Path) -> None:
    content = bytearray(b"".join(npz_parts({"a": np.ones(1000, np.float32)}.items())))
    content[1000] ^= 1
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with NpzReader(path) as reader, pytest.raises(Unreadable, match="'a' is damaged"):
        reader.read("a")
