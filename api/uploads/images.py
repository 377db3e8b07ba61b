"""Checks an archive of pictures in class folders: what they become, and what is wrong with which of them.

Two passes, each picture by picture: one looks at the heads, for sizes and channels, and one decodes. A picture whose
fault the second one finds has it begin again without that.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.pictures import MOST_BYTES, WANTED, Look, UnreadablePicture, decode, look
from api.uploads.archives import ArchivedFile, UnreadableFile, opened
from api.uploads.checked import CheckedImages, Limits, Report, Size
from api.uploads.examples import (
    HASH_BYTES,
    Places,
    check_classes,
    class_counts,
    divided,
    new_array,
    occurring_twice,
)
from api.uploads.folders import Part, Place, is_ignored, placed, segments, sorted_classes
from api.uploads.grid import write_grids
from api.uploads.options import UploadOptions
from jobs.encoding import Faults
from jobs.escapes import escaped
from jobs.faults import Fault, InvalidUpload
from jobs.inputs import ImageEncoding
from store.dataset_files import write_sources

MOST_SIZES = 20
"""Sizes that are told."""
LONGEST_SHOWN = 300
"""Characters of a name that a message shows."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A sound picture of an archive."""

    place: Place
    seen: Look


class _Pictures:
    """The files of an archive by their numbers: the pictures among them, and what is wrong with the others."""

    def __init__(self, names: list[str], looks: dict[int, Look], faults: dict[int, Fault]) -> None:
        self.names = names
        self.faults = faults
        self.pictures: dict[int, Picture] = {}
        for number, place in enumerate(placed(names, decisive=looks)):
            if isinstance(place, str):
                self.reject(number, found="this name", wanted=place)
            elif number in looks:
                self.pictures[number] = Picture(place, looks[number])

    def reject(self, number: int, *, found: str, wanted: str = WANTED) -> None:
        """A file has a fault; its first one is told."""
        self.pictures.pop(number, None)
        self.faults.setdefault(number, _fault(self.names[number], found=found, wanted=wanted))

    def told(self) -> Faults:
        """All faults, in the archive's order."""
        told = Faults()
        told.extend(self.faults[number] for number in sorted(self.faults))
        return told


def check_images(
    path: Path, options: UploadOptions, *, into: Path, limits: Limits, file_done: Callable[[], None] = lambda: None
) -> CheckedImages:
    """Read an archive, and write `train_x` (uint8 [N, height·width·channels]), `train_y` (int32 [N]), those of `test`,
    and of `val` where there is such a part, as .npy files into a folder, beside a grid of pictures of each. `file_done`
    is called for each file that was looked at, and again for each that was decoded.

    Raises:
        InvalidUpload: it cannot be learnt from as it is. Names every fault, up to `MOST_FAULTS`.
    """
    files = _looked(path, limits, file_done)
    try:
        dataset, hashes = _written(path, files, options, limits, file_done, into=into)
    except InvalidUpload as error:
        faults = files.told()
        raise InvalidUpload(error.detail, faults.named, total=faults.total) from error
    faults, encoding = files.told(), dataset.encoding
    write_grids(into, encoding, dataset.classes)
    names = [escaped(files.names[number])[:LONGEST_SHOWN] for number in dataset.at]
    tested: list[int] = dataset.places.test.tolist()
    write_sources(into, (names[at] for at in tested))
    twice = occurring_twice(hashes, dataset.labels, dataset.places)
    return CheckedImages(
        task="classification",
        encoding=encoding,
        classes=tuple(dataset.classes),
        targets=None,
        train_examples=len(dataset.places.train),
        validation_examples=len(dataset.places.val),
        test_examples=len(dataset.places.test),
        report=Report(
            skipped=faults.total,
            faults=tuple(faults.named),
            faults_total=faults.total,
            duplicates=twice.duplicates,
            train_test_duplicates=twice.train_test,
            class_conflicts=twice.class_conflicts,
            class_counts=class_counts(dataset.classes, dataset.labels, dataset.places),
            sizes=tuple(Size(height=h, width=w, count=n) for (h, w), n in dataset.sizes.most_common(MOST_SIZES)),
        ),
    )


def _written(
    path: Path,
    files: _Pictures,
    options: UploadOptions,
    limits: Limits,
    file_done: Callable[[], None],
    *,
    into: Path,
) -> tuple["_Dataset", NDArray[np.void]]:
    """The dataset, whose arrays are written, and the hash of each example's pixels. Raises InvalidUpload."""
    while True:
        known = len(files.faults)
        dataset = _Dataset(files, options, limits)
        hashes = _decoded(path, files, dataset, limits, file_done, into=into)
        if files.faults and options.on_bad != "skip":
            raise InvalidUpload("")
        if len(files.faults) == known:
            return dataset, hashes


class _Dataset:
    """What the sound pictures become: their size, their classes, and where each goes."""

    def __init__(self, files: _Pictures, options: UploadOptions, limits: Limits) -> None:
        """Raises InvalidUpload."""
        if options.task == "regression":
            raise InvalidUpload("folders of pictures are classes, and task=regression wants numbers")
        if not files.pictures:
            raise InvalidUpload("there is no picture that can be read")
        self.sizes = Counter((it.seen.height, it.seen.width) for it in files.pictures.values())
        """(height, width) of the pictures as they came."""
        if options.size is None and len(self.sizes) > 1:
            raise InvalidUpload(_sizes_differ(self.sizes))
        numbers = list(files.pictures)
        places = [files.pictures[number].place for number in numbers]
        self.encoding = encoding = _encoding(files, self.sizes, options)
        self.classes = sorted_classes([place.label for place in places])
        index = {label: n for n, label in enumerate(self.classes)}
        self.labels = np.array([index[place.label] for place in places], np.int32)
        given: dict[Part, list[int]] = {"train": [], "val": [], "test": []}
        for at, place in enumerate(places):
            given[place.part or "train"].append(at)
        self.places: Places = divided(
            {part: np.array(members, np.intp) for part, members in given.items()}, self.labels, options
        )
        check_classes(self.classes, self.labels, self.places)
        size = len(numbers) * math.prod(encoding.shape)
        if size > limits.most_encoded_bytes:
            detail = f"as pixels, the pictures take {size:,} bytes; at most {limits.most_encoded_bytes:,} are taken"
            raise InvalidUpload(f"{detail}: say a smaller size=HEIGHTxWIDTH")
        self.at = {number: at for at, number in enumerate(numbers)}
        """The place of a file among the examples."""


def _looked(path: Path, limits: Limits, file_done: Callable[[], None]) -> _Pictures:
    """The first pass."""
    names: list[str] = []
    looks: dict[int, Look] = {}
    faults: dict[int, Fault] = {}
    seen: set[str] = set()
    with opened(path, most_bytes=limits.most_encoded_bytes) as files:
        for file in files:
            if is_ignored(file.name):
                continue
            number = len(names)
            names.append(file.name)
            file_done()
            whole = "/" * file.name.startswith("/") + "/".join(segments(file.name))
            if whole in seen:
                faults[number] = _fault(file.name, found="this name for the second time", wanted="each name once")
                continue
            seen.add(whole)
            try:
                looks[number] = look(file.read(most_bytes=MOST_BYTES))
            except (UnreadableFile, UnreadablePicture) as error:
                faults[number] = _fault(file.name, found=str(error), wanted=WANTED)
    return _Pictures(names, looks, faults)


def _encoding(files: _Pictures, sizes: Counter[tuple[int, int]], options: UploadOptions) -> ImageEncoding:
    ((height, width), _), *_ = sizes.most_common(1)
    height, width = options.size or (height, width)
    channels = options.channels or max(it.seen.channels for it in files.pictures.values())
    return ImageEncoding.model_validate(
        {"height": height, "width": width, "channels": channels, "fit": options.fit or "contain"}
    )


def _decoded(
    path: Path, files: _Pictures, dataset: _Dataset, limits: Limits, file_done: Callable[[], None], *, into: Path
) -> NDArray[np.void]:
    """The second pass: writes all parts, and gives the hash of each example's pixels. New faults go to `files`."""
    for left_over in into.glob("*.npy"):  # of a pass that had to begin again
        left_over.unlink()
    encoding, values = dataset.encoding, math.prod(dataset.encoding.shape)
    hashes = np.zeros(len(dataset.labels), f"V{HASH_BYTES}")
    target: list[tuple[NDArray[np.uint8], int]] = [(np.empty(0, np.uint8), 0)] * len(dataset.labels)
    for part, places in dataset.places.there.items():
        np.save(into / f"{part}_y.npy", dataset.labels[places])
        x = new_array(into, f"{part}_x", np.uint8, (len(places), values))
        for row, at in enumerate(places.tolist()):
            target[at] = (x, row)
    number = -1
    with opened(path, most_bytes=limits.most_encoded_bytes) as archived:
        for file in archived:
            if is_ignored(file.name):
                continue
            number += 1
            file_done()
            at = dataset.at.get(number)
            if at is None:
                continue
            pixels = _pixels(file, encoding)
            if isinstance(pixels, str):
                files.reject(number, found=pixels)
                continue
            x, row = target[at]
            x[row] = pixels.reshape(values)
            hashes[at] = np.void(hashlib.blake2b(pixels.tobytes(), digest_size=HASH_BYTES).digest())
    return hashes


def _pixels(file: ArchivedFile, encoding: ImageEncoding) -> NDArray[np.uint8] | str:
    """A picture's pixels, or what it is instead."""
    try:
        return decode(file.read(most_bytes=MOST_BYTES), encoding)
    except (UnreadableFile, UnreadablePicture) as error:
        return str(error)


def _sizes_differ(sizes: Counter[tuple[int, int]]) -> str:
    some = ", ".join(f"{height}x{width} ({count:,})" for (height, width), count in sizes.most_common(MOST_SIZES))
    more = ", …" if len(sizes) > MOST_SIZES else ""
    return f"there are {len(sizes):,} sizes; say size=HEIGHTxWIDTH to have them made one: {some}{more}"


def _fault(name: str, *, found: str, wanted: str) -> Fault:
    return Fault(file=escaped(name)[:LONGEST_SHOWN], found=found, wanted=wanted)
