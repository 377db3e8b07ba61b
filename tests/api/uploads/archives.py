"""Pictures and archives for tests, and what checking them gives."""

import io
import tarfile
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.uploads.check import check_upload
from api.uploads.checked import CheckedArrays, CheckedImages, Limits
from api.uploads.options import UploadOptions
from jobs.faults import InvalidUpload

LIMITS = Limits(most_bytes=64 << 20, most_encoded_bytes=64 << 20)

Files = Iterable[tuple[str, bytes]]


class Checked(NamedTuple):
    """An archive that was checked, and its arrays."""

    dataset: CheckedImages | CheckedArrays
    arrays: dict[str, NDArray[Any]]


def picture(colour: tuple[int, ...] = (255, 0, 0), *, size: tuple[int, int] = (4, 4), kind: str = "PNG") -> bytes:
    """A picture of one colour; `size` is width and height."""
    out = io.BytesIO()
    Image.new({1: "L", 3: "RGB", 4: "RGBA"}[len(colour)], size, colour).save(out, kind)
    return out.getvalue()


def pictures(*labels: str, each: int = 5, around: str = "") -> list[tuple[str, bytes]]:
    """Different pictures in class folders."""
    return [
        (f"{around}{label}/{n}.png", picture((20 * index, n, 0)))
        for index, label in enumerate(labels)
        for n in range(each)
    ]


def zip_of(files: Files, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip, names that occur twice included."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", compression) as archive:
        warnings.simplefilter("ignore")
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def tar_of(files: Files, *, gz: bool = False, others: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """A tar, with other members behind the files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if gz else "w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for other in others:
            archive.addfile(other)
    return out.getvalue()


def npz_of(**arrays: Any) -> bytes:
    """A .npz as NumPy writes it."""
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def npy_of(array: Any) -> bytes:
    """A .npy as NumPy writes it."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def check(content: bytes, folder: Path, *, limits: Limits = LIMITS, **options: Any) -> Checked:
    """Check an archive in a folder."""
    path = folder / "upload"
    path.write_bytes(content)
    into = folder / "into"
    into.mkdir()
    dataset = check_upload(path, UploadOptions(**options), into=into, limits=limits)
    assert dataset.kind != "table"
    assert sorted(path.name for path in folder.iterdir()) == ["into", "upload"]
    return Checked(dataset, {file.stem: np.load(file) for file in into.glob("*.npy")})


def refusal(content: bytes, folder: Path, *, limits: Limits = LIMITS, **options: Any) -> InvalidUpload:
    """Why an archive is refused."""
    path = folder / "upload"
    path.write_bytes(content)
    into = folder / "into"
    into.mkdir(exist_ok=True)
    with pytest.raises(InvalidUpload) as refused:
        check_upload(path, UploadOptions(**options), into=into, limits=limits)
    assert sorted(path.name for path in folder.iterdir()) == ["into", "upload"]
    return refused.value


def faulty_files(error: InvalidUpload) -> list[tuple[str | None, str]]:
    """The files that a refusal names, and what is there instead."""
    return [(fault.file, fault.found) for fault in error.faults]
