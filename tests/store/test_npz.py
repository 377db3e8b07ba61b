"""Arrays as a file, part by part."""

import io

import numpy as np

from store.npz import npz_parts

ARRAYS = {
    "weights/000": np.arange(12, dtype=np.float32).reshape(3, 4),
    "turned": np.arange(12, dtype=np.float32).reshape(3, 4).T,
    "seconds": np.array(1.5),
    "none": np.zeros((0, 3), np.float32),
    "position": np.array([3, 7], np.int64),
}


def test_numpy_reads_what_was_written() -> None:
    with np.load(io.BytesIO(b"".join(npz_parts(ARRAYS))), allow_pickle=False) as found:
        assert found.files == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
            assert (found[name] == array).all()


def test_an_arrays_values_are_not_copied() -> None:
    array = np.arange(1000, dtype=np.float32)
    assert any(np.shares_memory(array, np.frombuffer(part, np.uint8)) for part in npz_parts({"a": array}))


def test_the_same_arrays_give_the_same_bytes() -> None:
    assert b"".join(npz_parts(ARRAYS)) == b"".join(npz_parts(ARRAYS))
