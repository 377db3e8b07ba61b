"""The formats: what goes in comes out, and what is not whole is refused."""

import io

import numpy as np
import pytest

from tests.worker.digits import digests, digits, npz, same
from worker.datasets.idx import FILES, Unusable, from_idx, header, idx_digest, read_npz, split_idx, verified


def test_an_idx_file_begins_as_published() -> None:
    assert header(np.zeros((60_000, 28, 28), np.uint8)) == bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    assert header(np.zeros(60_000, np.uint8)) == bytes.fromhex("00000801 0000ea60")


def test_an_array_comes_back_from_its_idx_file() -> None:
    for array in digits().values():
        assert np.array_equal(from_idx(header(array) + array.tobytes()), array)


def test_files_one_after_the_other_are_split() -> None:
    one, other = digits()["y_train"], digits()["x_test"]
    content = np.frombuffer(b"".join(header(array) + array.tobytes() for array in (one, other)), np.uint8)
    first, rest = split_idx(content)
    second, rest = split_idx(rest)
    assert np.array_equal(first, one)
    assert np.array_equal(second, other)
    assert not rest.size


LABELS = header(np.zeros(3, np.uint8)) + b"abc"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"<html>not found</html>",
        LABELS[:-1],
        LABELS + b"d",
        LABELS[:6],
        b"\0\0\x0d" + LABELS[3:],
        b"\0\0\x08\x03" + b"\xff" * 20,
    ],
)
def test_what_is_not_a_whole_idx_file_is_refused(content: bytes) -> None:
    with pytest.raises(Unusable):
        from_idx(content)


@pytest.mark.parametrize("compressed", [True, False])
def test_an_npz_is_read(compressed: bool) -> None:
    arrays = digits()
    assert same(read_npz(io.BytesIO(npz(arrays, compressed=compressed))), arrays)


def test_what_is_not_a_whole_npz_is_refused() -> None:
    whole = npz(digits())
    flipped = bytearray(whole)
    flipped[len(flipped) // 3] ^= 255
    array = io.BytesIO()
    np.save(array, digits()["y_test"])
    for content in (b"", b"<html>", whole[:-1000], bytes(flipped), array.getvalue()):
        with pytest.raises(Unusable, match="not a whole npz"):
            read_npz(io.BytesIO(content))


def test_missing_arrays_are_named() -> None:
    arrays = digits()
    del arrays["y_test"]
    with pytest.raises(Unusable, match="it has no y_test"):
        read_npz(io.BytesIO(npz(arrays)))


def test_pickled_objects_are_refused() -> None:
    with pytest.raises(Unusable):
        read_npz(io.BytesIO(npz({**digits(), "y_test": np.array([{}], object)})))


@pytest.mark.parametrize("name", FILES)
def test_one_changed_value_is_seen(name: str) -> None:
    arrays = digits()
    expected = digests(arrays)
    assert verified(arrays, expected) is arrays
    arrays[name].flat[-1] ^= 1
    with pytest.raises(Unusable, match=f"its {name} .* is not MNIST's"):
        verified(arrays, expected)


def test_other_types_and_shapes_of_the_same_values_are_refused() -> None:
    arrays = digits()
    expected = digests(arrays)
    with pytest.raises(Unusable, match="its x_train is float32"):
        verified({**arrays, "x_train": arrays["x_train"].astype(np.float32)}, expected)
    with pytest.raises(Unusable, match=r"its x_test \(100 x 784\)"):
        verified({**arrays, "x_test": arrays["x_test"].reshape(100, 784)}, expected)


def test_the_digest_does_not_depend_on_the_layout_in_memory() -> None:
    images = digits()["x_test"]
    assert idx_digest(np.asfortranarray(images)) == idx_digest(images)
