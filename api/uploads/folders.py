"""What the names in an archive of pictures say: the class and the part of each file."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from jobs.encoding import LONGEST_CATEGORY, number_in

Part = Literal["train", "val", "test"]

PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Names of folders that say of which part their files are."""

_IGNORED = re.compile(r"\.|__MACOSX$|(?i:thumbs\.db|desktop\.ini)$")
_LEADS_OUT = re.compile(r"/|[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands."""

    part: Part | None
    """None where no folder says so."""
    label: str


def segments(name: str) -> list[str]:
    """The parts of a name, whichever slashes it has."""
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


def is_ignored(name: str) -> bool:
    """Whether a file is one that systems leave behind, and nobody means to be looked at."""
    return any(_IGNORED.match(part) for part in segments(name) if part != "..")


def placed(names: Sequence[str], *, decisive: Collection[int] | None = None) -> list[Place | str]:
    """The place of each file, or what should be there instead.

    One folder around everything is overlooked. `train`, `val` and `test` are parts where there is nothing else beside
    them. The next folder is the class, whatever lies below. What the folders are, the files at the `decisive` places
    say, those that are pictures; without it all.
    """
    paths = [segments(name) for name in names]
    sound = [
        path
        for number, (name, path) in enumerate(zip(names, paths, strict=True))
        if not _leads_out(name, path) and (decisive is None or number in decisive)
    ]
    begin = 0
    if _has_parts(sound, 0):
        has_parts = True
    else:
        # A folder around everything is one only where classes are within it: else it is the only class.
        begin = int(len({path[0] for path in sound}) == 1 and _has_classes(sound, 1))
        has_parts = bool(begin) and _has_parts(sound, 1)
    return [_place(name, path[begin:], has_parts=has_parts) for name, path in zip(names, paths, strict=True)]


def sorted_classes(labels: Sequence[str]) -> list[str]:
    """The classes in their order: numbers by size, texts by their code points."""
    found = sorted(set(labels))
    numbers = [number_in(label) for label in found]
    if all(number is not None for number in numbers):
        return [label for _, label in sorted(zip(numbers, found, strict=True))]  # pyright: ignore[reportArgumentType]
    return found


def _place(name: str, path: list[str], *, has_parts: bool) -> Place | str:
    if _leads_out(name, segments(name)):
        return "a name within the archive"
    part = PARTS[path[0].lower()] if has_parts and path and path[0].lower() in PARTS else None
    rest = path[1:] if part else path
    if len(rest) < 2:
        return "a folder named as the class around it"
    if not has_parts and rest[0].lower() in PARTS and len(rest) > 2:
        return "train, val and test, the first at least, and no other folder beside them"
    if len(rest[0]) > LONGEST_CATEGORY:
        return f"a class of at most {LONGEST_CATEGORY} characters"
    return Place(part, rest[0])


def _leads_out(name: str, path: list[str]) -> bool:
    return not path or ".." in path or _LEADS_OUT.match(name.replace("\\", "/")) is not None


def _has_parts(paths: Sequence[Sequence[str]], at: int) -> bool:
    """Whether the folders at a depth are parts, `train` one of them."""
    folders = {path[at].lower() for path in paths if len(path) > at + 1}
    return bool(folders) and folders <= PARTS.keys() and "train" in {PARTS[folder] for folder in folders}


def _has_classes(paths: Sequence[Sequence[str]], at: int) -> bool:
    """Whether there are several folders at a depth, or parts."""
    folders = {path[at] for path in paths if len(path) > at + 1}
    return len(folders) > 1 or _has_parts(paths, at)
