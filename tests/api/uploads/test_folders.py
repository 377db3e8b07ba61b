"""The names in an archive say the class and the part of each file, however it was packed."""

import pytest

from api.uploads.folders import Part, Place, is_ignored, placed, segments, sorted_classes

NO_CLASS = "a folder named as the class around it"
OUTSIDE = "a name within the archive"


def labels(*names: str) -> list[str]:
    return [place.label if isinstance(place, Place) else place for place in placed(names)]


def parts(*names: str) -> list[tuple[Part | None, str] | str]:
    return [(place.part, place.label) if isinstance(place, Place) else place for place in placed(names)]


@pytest.mark.parametrize(
    "names",
    [
        ["cats/1.png", "dogs/1.png"],
        ["pets/cats/1.png", "pets/dogs/1.png"],
        ["./cats/1.png", "./dogs/1.png"],
        ["./pets/cats/1.png", "./pets//dogs/1.png"],
        ["pets\\cats\\1.png", "pets\\dogs\\1.png"],
        ["cats\\1.png", "dogs/1.png"],
        ["cats/deep/er/1.png", "dogs/1.png"],
        ["pets/cats/deep/1.png", "pets/dogs/deep/1.png"],
    ],
)
def test_a_class_is_the_first_folder_within_what_is_around_all(names: list[str]) -> None:
    assert parts(*names) == [(None, "cats"), (None, "dogs")]


@pytest.mark.parametrize("around", ["", "pets/", "pets\\", "train/", "./"])
@pytest.mark.parametrize(
    ("folders", "found"),
    [
        (("train", "val", "test"), ("train", "val", "test")),
        (("training", "validation", "testing"), ("train", "val", "test")),
        (("Train", "VALID", "Test"), ("train", "val", "test")),
        (("train", "test", "test"), ("train", "test", "test")),
    ],
)
def test_folders_say_the_part(around: str, folders: tuple[str, ...], found: tuple[Part, ...]) -> None:
    names = [f"{around}{folder}/{label}/{n}.png" for n, folder in enumerate(folders) for label in ("cats", "dogs")]
    if around == "train/":  # then it is the class, or the part, of what is around the others
        names = [name.replace("train/", "data/", 1) for name in names]
    assert parts(*names) == [(part, label) for part in found for label in ("cats", "dogs")]


def test_parts_alone_are_parts_with_one_class_too() -> None:
    assert parts("train/cats/1.png", "test/cats/2.png") == [("train", "cats"), ("test", "cats")]
    assert parts("train/cats/1.png", "train/dogs/1.png") == [("train", "cats"), ("train", "dogs")]


@pytest.mark.parametrize("beside", ["extra", "cats"])
def test_what_is_beside_other_folders_is_a_class_and_no_part(beside: str) -> None:
    assert parts("train/1.png", f"{beside}/1.png") == [(None, "train"), (None, beside)]


@pytest.mark.parametrize("beside", ["val/a/1.png", "notes/a/1.png", "dev/1.png"])
def test_parts_without_training_or_beside_other_folders_are_refused(beside: str) -> None:
    found = placed(["test/a/1.png", "test/b/1.png", beside])
    assert [isinstance(place, str) for place in found[:2]] == [True, True]


def test_only_pictures_say_what_the_folders_are() -> None:
    names = ["train/a/1.png", "train/b/1.png", "notes/x.txt", "readme.md"]
    assert placed(names, decisive={0, 1})[:2] == [Place("train", "a"), Place("train", "b")]


def test_one_folder_alone_is_the_class() -> None:
    assert labels("cats/1.png", "cats/2.png") == ["cats", "cats"]
    assert labels("cats/siamese/1.png", "cats/siamese/2.png") == ["cats", "cats"]


@pytest.mark.parametrize(
    ("names", "at"),
    [
        (["1.png", "cats/1.png", "dogs/1.png"], 0),
        (["pets/cats/1.png", "pets/1.png", "pets/dogs/1.png"], 1),
        (["train/cats/1.png", "train/dogs/1.png", "train/1.png"], 2),
        (["train/cats/1.png", "train/dogs/1.png", "readme.txt"], 2),
    ],
)
def test_a_file_without_a_class_folder_is_told(names: list[str], at: int) -> None:
    assert [n for n, place in enumerate(placed(names)) if place == NO_CLASS] == [at]


def test_files_alone_have_no_class() -> None:
    assert placed(["1.png", "2.png"]) == [NO_CLASS, NO_CLASS]
    assert placed(["all/1.png", "2.png"])[1] == NO_CLASS
    assert placed([]) == []


@pytest.mark.parametrize("folder", ["train/", ""])
def test_a_file_named_as_the_folder_around_all_is_told(folder: str) -> None:
    names = ["pets", f"pets/{folder}cats/1.png", f"pets/{folder}dogs/1.png"]
    assert labels(*names) == [NO_CLASS, "cats", "dogs"]


@pytest.mark.parametrize(
    "name",
    [
        "../cats/1.png",
        "cats/../../1.png",
        "cats/..",
        "..\\cats\\1.png",
        "/cats/1.png",
        "\\cats\\1.png",
        "C:\\cats\\1.png",
        "c:/cats/1.png",
        "C:cats/1.png",
        "\\\\server\\cats\\1.png",
        "",
        ".",
        "./",
    ],
)
def test_a_name_that_leads_out_is_told_and_decides_nothing(name: str) -> None:
    assert labels(name, "pets/cats/1.png", "pets/dogs/1.png") == [OUTSIDE, "cats", "dogs"]


@pytest.mark.parametrize("around", ["", "pets/", "pets/cats/"])
@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/._1.png",
        "__MACOSX/cats/1.png",
        ".DS_Store",
        "._1.png",
        ".git/config",
        "Thumbs.db",
        "thumbs.DB",
        "desktop.ini",
        "Desktop.ini",
    ],
)
def test_what_systems_leave_behind_is_ignored(around: str, name: str) -> None:
    assert is_ignored(around + name)
    assert is_ignored((around + name).replace("/", "\\"))


@pytest.mark.parametrize(
    "name", ["cats/1.png", "./cats/1.png", "../1.png", "cats/Thumbs.db.png", "thumbs/1.png", "__MACOSX2/1.png", "a.b/c"]
)
def test_nothing_else_is_ignored(name: str) -> None:
    assert not is_ignored(name)


def test_a_long_class_is_told() -> None:
    long = "x" * 201
    assert labels(f"{long}/1.png", f"{long[1:]}/1.png") == ["a class of at most 200 characters", long[1:]]


def test_classes_that_differ_in_case_alone_are_two() -> None:
    assert labels("Cats/1.png", "cats/1.png") == ["Cats", "cats"]
    assert sorted_classes(["cats", "Cats", "cats"]) == ["Cats", "cats"]


@pytest.mark.parametrize(
    ("found", "ordered"),
    [
        (["10", "9", "1"], ["1", "9", "10"]),
        (["-1", "0.5", "1e1", "2"], ["-1", "0.5", "2", "1e1"]),
        (["1", "01", "001"], ["001", "01", "1"]),
        (["10", "9", "x"], ["10", "9", "x"]),
        (["ü", "z", "a", "Z"], ["Z", "a", "z", "ü"]),
    ],
)
def test_classes_are_ordered_as_numbers_where_all_are(found: list[str], ordered: list[str]) -> None:
    assert sorted_classes(found * 2) == ordered


@pytest.mark.parametrize(
    ("name", "found"),
    [("a/b", ["a", "b"]), ("./a//b/", ["a", "b"]), ("a\\b/c", ["a", "b", "c"]), ("/", []), ("..", [".."])],
)
def test_segments_are_what_is_between_slashes_of_any_kind(name: str, found: list[str]) -> None:
    assert segments(name) == found
