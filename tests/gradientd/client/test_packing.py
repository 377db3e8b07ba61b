"""What is packed is what others unpack: a folder as a tar, arrays as a .npz."""

import errno
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradientd.client.packing import CHUNK_BYTES, arrays_packed, folder_packed


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def packed(folder: Path) -> bytes:
    length, chunks = folder_packed(folder)
    content = b"".join(chunks)
    assert len(content) == length
    return content


def unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


FOLDERS = {
    "plain": {"cats/1.png": b"meow", "dogs/1.png": b"woof" * 1000, "dogs/deeper/2.png": b"w"},
    "empty file": {"a/nothing": b"", "a/one": b"1"},
    "whole blocks": {"a/512": bytes(512), "a/513": bytes(513), "a/1024": b"x" * 1024},
    "large": {"a/large": bytes(range(256)) * (CHUNK_BYTES // 128) + b"end"},
    "long names": {f"{'d' * 90}/{'e' * 90}/{'f' * 200}.png": b"1", f"{'g' * 100}/x": b"2"},
    "other letters": {"Käse/größe.png": b"1", "猫/写真.png": b"2", "ü" * 60 + "/x.png": b"3", "a b/c'd.png": b"4"},
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_what_tarfile_reads(tmp_path: Path, name: str) -> None:
    write(tmp_path, FOLDERS[name])
    assert unpacked(packed(tmp_path)) == FOLDERS[name]


def test_a_stream_of_it_is_read_as_it_comes(tmp_path: Path) -> None:
    write(tmp_path, FOLDERS["other letters"])
    with tarfile.open(fileobj=io.BytesIO(packed(tmp_path)), mode="r|") as archive:
        assert {member.name for member in archive} == set(FOLDERS["other letters"])


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    files = FOLDERS["plain"]
    write(tmp_path / "one", files)
    write(tmp_path / "two", dict(reversed(files.items())))
    (tmp_path / "two" / "dogs" / "1.png").chmod(0o600)
    assert packed(tmp_path / "one") == packed(tmp_path / "one") == packed(tmp_path / "two")


def test_what_begins_with_a_dot_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / ".hidden"  # of the folder itself nothing is said
    write(folder, {"a/1.png": b"1", ".DS_Store": b"", "a/.thumbs": b"", ".git/config": b"", "a/x.y": b"2"})
    assert unpacked(packed(folder)) == {"a/1.png": b"1", "a/x.y": b"2"}


def test_links_are_followed_and_into_no_folder_twice(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/1.png": b"pixels", "folder/a/0.png": b"0"})
    folder = tmp_path / "folder"
    (folder / "a" / "1.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    (folder / "b").symlink_to(tmp_path / "elsewhere")
    (folder / "b" / "round").symlink_to(folder)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "a" / "pipe.png")
    assert unpacked(packed(folder)) == {"a/0.png": b"0", "a/1.png": b"pixels", "b/1.png": b"pixels"}


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a/0.png": b"0", "b/1.png": b"1"})
    real = os.scandir

    def scandir(place: str) -> Any:  # root may read everything
        if Path(place).name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", place)
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match="b'"):
        folder_packed(tmp_path)


@pytest.mark.parametrize("files", [{}, {".DS_Store": b""}])
def test_a_folder_without_files_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    write(tmp_path, files)
    with pytest.raises(ValueError, match="holds no files"):
        folder_packed(tmp_path)


@pytest.mark.parametrize("content", [b"short", b"longer than before", b""])
def test_a_file_that_changes_meanwhile_is_an_error(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"a/1": b"as it was"})
    _, chunks = folder_packed(tmp_path)
    (tmp_path / "a" / "1").write_bytes(content)
    with pytest.raises(OSError, match="changed while it was read"):
        list(chunks)


def test_a_name_that_is_no_text_is_kept(tmp_path: Path) -> None:
    name = b"a\xff.png".decode("utf-8", "surrogateescape")
    write(tmp_path, {name: b"1"})
    assert unpacked(packed(tmp_path)) == {name: b"1"}


ARRAYS: dict[str, Any] = {
    **{np.dtype(dtype).str: np.arange(24).reshape(2, 3, 4).astype(dtype) for dtype in "?bBhHiIqQefdFD"},
    **{dtype: np.arange(6).reshape(3, 2).astype(dtype) for dtype in (">i2", ">f4", ">f8", ">u8")},
    "texts": np.array(["Bonn", "Köln", ""]),
    "big-endian texts": np.array(["Bonn", "Köln"], ">U5"),
    "bytes": np.array([b"a", b"bcd"]),
    "instants": np.array(["2026-01-01", "NaT"], "M8[D]"),
    "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(60).reshape(6, 10)[::2, ::-3],
    "broadcast": np.broadcast_to(np.float32(3), (4, 5)),
    "no examples": np.zeros((0, 28, 28), np.uint8),
    "no features": np.zeros((5, 0)),
    "one": np.ones((1,)),
    "deep": np.zeros((1,) * 32, np.int8),
    "wide": np.zeros((1, 100_000), np.uint8),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_what_numpy_loads(name: str) -> None:
    array = ARRAYS[name]
    with np.load(io.BytesIO(arrays_packed({"x_train": array, "y_train": np.arange(3)}))) as loaded:
        assert loaded.files == ["x_train", "y_train"]
        assert (loaded["x_train"].dtype, loaded["x_train"].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(loaded["x_train"], array)
        assert loaded["y_train"].tolist() == [0, 1, 2]


def test_an_npy_begins_its_data_where_numpy_has_it() -> None:
    for length in range(1, 12):  # headers of many lengths
        array = np.zeros((10**length, 0), np.float32)
        with np.load(io.BytesIO(arrays_packed({"x": array}))) as loaded:
            assert loaded["x"].shape == array.shape


def test_the_same_arrays_are_the_same_bytes() -> None:
    arrays = {"x": np.arange(10.0), "y": np.array(["a", "b"])}
    assert arrays_packed(arrays) == arrays_packed({name: array.copy() for name, array in arrays.items()})


@pytest.mark.parametrize(
    "array", [np.array([{}, None]), np.array(["a", 1], object), np.array(["a"], np.dtypes.StringDType())]
)
def test_python_objects_are_refused(array: Any) -> None:
    with pytest.raises(ValueError, match="x holds Python objects"):
        arrays_packed({"x": array})
