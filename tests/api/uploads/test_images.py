"""What folders of pictures become, and what is said of those that cannot become anything."""

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api.uploads.check import Order, answer_to
from api.uploads.checked import CheckedImages, Limits
from api.uploads.options import UploadOptions
from jobs.inputs import ImageEncoding
from tests.api.uploads.archives import check, faulty_files, picture, pictures, refusal, tar_of, zip_of

CLASSES = ["ants", "bees", "cats"]


def pixels_of(label: int, number: int) -> NDArray[np.uint8]:
    """Noise, whose first pixel says its class and its number."""
    pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), np.uint8)
    pixels[0, 0] = (label * 50, number % 256, number // 256)
    return pixels


def coded(label: int, number: int, kind: str = "PNG") -> bytes:
    """A picture of these pixels."""
    out = io.BytesIO()
    Image.fromarray(pixels_of(label, number)).save(out, kind)
    return out.getvalue()


def coded_files(count: int, seed: int) -> list[tuple[str, bytes]]:
    """Files of all classes in a random order; the number of each is that in its name."""
    rng = random.Random(seed)
    kinds = ["PNG", "BMP", "PNG"]
    files = [(f"{CLASSES[n % 3]}/{n}", coded(n % 3, n, kinds[n % len(kinds)])) for n in range(count)]
    rng.shuffle(files)
    return files


def numbers(arrays: dict[str, Any], parts: tuple[str, ...] = ("train", "test")) -> list[int]:
    """The numbers of the examples that are kept, each of which has its own pixels and its own class."""
    found: list[int] = []
    for part in parts:
        for pixels, label in zip(arrays[f"{part}_x"].reshape(-1, 30, 40, 3), arrays[f"{part}_y"].tolist(), strict=True):
            found.append(int(pixels[0, 0, 1]) + 256 * int(pixels[0, 0, 2]))
            assert (pixels == pixels_of(label, found[-1])).all()
    return found


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_class_folders_become_arrays(tmp_path: Path, form: str) -> None:
    files = coded_files(60, 0)
    content = zip_of(files) if form == "zip" else tar_of(files, gz=form == "tar.gz")
    dataset, arrays = check(content, tmp_path)
    assert isinstance(dataset, CheckedImages)
    assert (dataset.task, dataset.classes, dataset.targets) == ("classification", tuple(CLASSES), None)
    assert dataset.encoding == ImageEncoding(height=30, width=40, channels=3)
    assert (dataset.train_examples, dataset.validation_examples, dataset.test_examples) == (48, 0, 12)
    assert sorted(arrays) == ["test_x", "test_y", "train_x", "train_y"]
    assert (arrays["train_x"].dtype, arrays["train_x"].shape) == (np.uint8, (48, 3600))
    assert (arrays["train_y"].dtype, arrays["train_y"].shape) == (np.int32, (48,))
    assert sorted(numbers(arrays)) == list(range(60))
    assert np.bincount(arrays["test_y"]).tolist() == [4, 4, 4]
    assert dataset.report.class_counts == dict.fromkeys(CLASSES, 20)
    assert [(size.height, size.width, size.count) for size in dataset.report.sizes or ()] == [(30, 40, 60)]
    assert (dataset.report.skipped, dataset.report.faults, dataset.report.duplicates) == (0, (), 0)


def test_the_order_follows_the_seed_and_not_the_form(tmp_path: Path) -> None:
    files, found = coded_files(60, 0), []
    for name, content, seed in [("a", zip_of(files), 0), ("b", tar_of(files), 0), ("c", zip_of(files), 1)]:
        (tmp_path / name).mkdir()
        found.append(numbers(check(content, tmp_path / name, split_seed=seed).arrays))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("around", ["", "data/"])
def test_parts_that_were_brought_are_kept(tmp_path: Path, around: str) -> None:
    parts = {"train": range(12), "validation": range(12, 18), "test": range(18, 27)}
    files = [
        (f"{around}{part}/{CLASSES[n % 3]}/{n}", coded(n % 3, n)) for part, members in parts.items() for n in members
    ]
    dataset, arrays = check(zip_of(files), tmp_path)
    assert (dataset.train_examples, dataset.validation_examples, dataset.test_examples) == (12, 6, 9)
    for part, members in zip(("train", "val", "test"), parts.values(), strict=True):
        assert sorted(numbers(arrays, (part,))) == list(members)


def test_a_test_part_is_taken_from_training_alone(tmp_path: Path) -> None:
    files = [(f"{'train' if n < 30 else 'val'}/{CLASSES[n % 3]}/{n}", coded(n % 3, n)) for n in range(36)]
    dataset, arrays = check(zip_of(files), tmp_path, test_split=0.5)
    assert (dataset.train_examples, dataset.validation_examples, dataset.test_examples) == (15, 6, 15)
    assert sorted(numbers(arrays, ("val",))) == list(range(30, 36))


KINDS = ["truncated", "text", "empty"]


def faulty(seed: int) -> tuple[list[tuple[str, bytes]], list[str], list[int]]:
    """Files with faults among them: all, names of the faulty ones, numbers of the others."""
    rng = random.Random(seed)
    files = coded_files(90, seed)
    bad = sorted(rng.sample(range(len(files)), rng.randrange(3, 20)))
    for place in bad:
        name, content = files[place]
        broken = {"truncated": content[: rng.randrange(60, len(content) - 200)], "text": b"a,b\n1,2\n", "empty": b""}
        files[place] = (name, broken[rng.choice(KINDS)])
    sound = sorted(int(name.partition("/")[2]) for place, (name, _) in enumerate(files) if place not in bad)
    return files, [files[place][0] for place in bad], sound


@pytest.mark.parametrize("seed", range(8))
def test_every_fault_is_named_and_none_else(tmp_path: Path, seed: int) -> None:
    files, bad, _ = faulty(seed)
    error = refusal(tar_of(files) if seed % 2 else zip_of(files), tmp_path)
    assert [fault.file for fault in error.faults] == bad
    assert error.total == len(bad)
    for fault in error.faults:
        content = dict(files)[str(fault.file)]
        told = {b"": "an empty file", b"a,b\n1,2\n": "no picture"}.get(content, "a damaged picture")
        assert fault.found.startswith(told)
        assert fault.wanted == "a PNG, JPEG, WebP, BMP or GIF"


@pytest.mark.parametrize("seed", range(8))
def test_skipping_keeps_exactly_the_others(tmp_path: Path, seed: int) -> None:
    files, bad, sound = faulty(seed)
    dataset, arrays = check(tar_of(files, gz=True) if seed % 2 else zip_of(files), tmp_path, on_bad="skip")
    assert sorted(numbers(arrays)) == sound
    assert [fault.file for fault in dataset.report.faults] == bad
    assert (dataset.report.skipped, dataset.report.faults_total) == (len(bad), len(bad))
    assert dataset.train_examples + dataset.test_examples == len(sound)
    assert sum((dataset.report.class_counts or {}).values()) == len(sound)
    assert [(size.height, size.width, size.count) for size in dataset.report.sizes or ()] == [(30, 40, len(sound))]


def test_a_class_whose_pictures_are_all_bad_is_none(tmp_path: Path) -> None:
    files = [*pictures("a", "b"), ("c/1", b"text"), ("d/1", coded(0, 0, "BMP")[:-9])]
    assert check(zip_of(files), tmp_path, on_bad="skip", size=(4, 4)).dataset.classes == ("a", "b")


def test_names_that_say_no_class_are_faults(tmp_path: Path) -> None:
    files = [*pictures("a", "b"), ("1.png", picture()), ("../a/1.png", picture()), ("/a/2.png", picture())]
    error = refusal(zip_of(files), tmp_path)
    assert faulty_files(error) == [(name, "this name") for name in ("1.png", "../a/1.png", "/a/2.png")]


def test_what_systems_leave_behind_is_not_looked_at(tmp_path: Path) -> None:
    files = [("__MACOSX/a/._1.png", b"?"), *pictures("a", "b"), (".DS_Store", b"?"), ("a/Thumbs.db", b"?")]
    dataset, _ = check(zip_of(files), tmp_path)
    assert (dataset.train_examples + dataset.test_examples, dataset.report.faults) == (10, ())


def test_a_thousand_faults_are_named_and_all_are_counted(tmp_path: Path) -> None:
    error = refusal(zip_of([*pictures("a", "b"), *((f"a/{n}.txt", b"") for n in range(1005))]), tmp_path)
    assert (len(error.faults), error.total) == (1000, 1005)


def test_a_fault_shows_no_name_that_commands_a_terminal(tmp_path: Path) -> None:
    error = refusal(tar_of([*pictures("a", "b"), ("a/\x1b[2J\n.png", b"")]), tmp_path)
    assert faulty_files(error) == [("a/\\x1b[2J\\n.png", "an empty file")]


SIZES = [("a/1", (4, 6)), ("a/2", (4, 6)), ("b/1", (8, 8)), ("b/2", (4, 6)), ("b/3", (2, 3))]


def test_sizes_that_differ_are_listed(tmp_path: Path) -> None:
    error = refusal(zip_of([(name, picture(size=(w, h))) for name, (h, w) in SIZES]), tmp_path)
    assert "3 sizes; say size=HEIGHTxWIDTH" in error.detail
    assert error.detail.endswith(": 4x6 (3), 8x8 (1), 2x3 (1)")
    assert error.faults == ()


def test_sizes_that_differ_are_told_with_the_faults(tmp_path: Path) -> None:
    files = [(name, picture(size=size)) for name, size in SIZES]
    error = refusal(zip_of([*files, ("b/bad", b"")]), tmp_path)
    assert "3 sizes" in error.detail
    assert faulty_files(error) == [("b/bad", "an empty file")]


@pytest.mark.parametrize("fit", [None, "contain", "cover", "stretch"])
def test_a_size_makes_them_one(tmp_path: Path, fit: str | None) -> None:
    files = [(name, picture(size=(w, h))) for name, (h, w) in SIZES]
    dataset, arrays = check(zip_of(files), tmp_path, size=(6, 6), fit=fit)
    assert dataset.encoding == ImageEncoding(height=6, width=6, channels=3, fit=fit or "contain")  # type: ignore[arg-type]
    assert arrays["train_x"].shape == (4, 108)
    assert [(s.height, s.width, s.count) for s in dataset.report.sizes or ()] == [(4, 6, 3), (8, 8, 1), (2, 3, 1)]
    reds = np.concatenate([arrays["train_x"], arrays["test_x"]]).reshape(-1, 36, 3)[..., 0]
    assert sorted((reds > 0).mean(axis=1).round(2)) == ([0.67] * 4 + [1] if fit in (None, "contain") else [1] * 5)


def test_pictures_turned_by_their_orientation_have_the_size_that_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (6, 4)).save(out, "PNG", exif=exif)
    kinds = (("a", picture(size=(4, 6))), ("b", out.getvalue()))
    dataset, _ = check(zip_of([(f"{label}/{n}", content) for n in range(3) for label, content in kinds]), tmp_path)
    assert dataset.shape == (6, 4, 3)


@pytest.mark.parametrize(
    ("colours", "channels"),
    [
        ([(9,), (8,)], 1),
        ([(9,), (8, 0, 0)], 3),
        ([(9,), (8, 0, 0), (7, 0, 0, 9)], 4),
        ([(9,), (8, 0, 0, 255)], 4),
    ],
)
def test_channels_go_by_what_is_there(tmp_path: Path, colours: list[tuple[int, ...]], channels: int) -> None:
    files = [(f"{label}/{n}", picture(colour)) for label in "ab" for n, colour in enumerate(colours * 2)]
    dataset, arrays = check(zip_of(files), tmp_path)
    assert dataset.shape == (4, 4, channels)
    assert arrays["train_x"].shape[1] == 16 * channels


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_that_were_asked_for_are_given(tmp_path: Path, channels: int) -> None:
    assert check(zip_of(pictures("a", "b")), tmp_path, channels=channels).dataset.shape == (4, 4, channels)


def test_classes_are_ordered_as_numbers(tmp_path: Path) -> None:
    dataset, arrays = check(zip_of(pictures("10", "9", "1")), tmp_path)
    assert dataset.classes == ("1", "9", "10")
    reds = arrays["train_x"].reshape(-1, 16, 3)[:, 0, 0]
    assert [{40: 0, 20: 1, 0: 2}[red] for red in reds.tolist()] == arrays["train_y"].tolist()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (pictures("a"), "one class, 'a'"),
        (pictures("a", around="data/"), "one class, 'data'"),
        ([("a/1", b"text"), ("b/1", b"")], "no picture that can be read"),
        ([("a/1", picture()), ("b/1", picture())], "leaves 0 for testing"),
        (
            [*pictures("a", "b", around="train/"), *pictures("c", "a", "d", around="test/")],
            "no training example has the class 'c', 'd'",
        ),
        ([*pictures("a", "b", around="train/"), *pictures("c", around="val/")], "has the class 'c'"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(tmp_path: Path, files: list[tuple[str, bytes]], told: str) -> None:
    assert told in str(refusal(zip_of(files), tmp_path, on_bad="skip"))


def test_regression_is_refused(tmp_path: Path) -> None:
    assert "task=regression wants numbers" in str(refusal(zip_of(pictures("a", "b")), tmp_path, task="regression"))


def test_more_classes_than_are_taken_are_refused(tmp_path: Path) -> None:
    files = [(f"{n}/{k}", picture((n % 256, n // 256, k), size=(1, 1))) for n in range(1001) for k in range(2)]
    assert "1,001 classes; at most 1,000" in str(refusal(zip_of(files), tmp_path))


def test_pixels_that_take_too_much_are_refused(tmp_path: Path) -> None:
    content = zip_of(pictures("a", "b"))
    limits = Limits(most_bytes=1 << 20, most_encoded_bytes=10 * 64 * 64 * 3)
    assert check(content, tmp_path, limits=limits, size=(64, 64)).dataset.shape == (64, 64, 3)
    (tmp_path / "more").mkdir()
    error = refusal(content, tmp_path / "more", limits=limits, size=(64, 65))
    assert "124,800 bytes; at most 122,880" in error.detail


def test_duplicates_are_counted_by_their_pixels(tmp_path: Path) -> None:
    same = [("a/same.bmp", picture((0, 0, 0), kind="BMP")), ("a/again.png", picture((0, 0, 0)))]
    dataset, _ = check(zip_of([*pictures("a", "b"), *same]), tmp_path)
    assert (dataset.report.duplicates, dataset.report.class_conflicts) == (2, 0)


def test_duplicates_across_parts_are_counted(tmp_path: Path) -> None:
    train, test = pictures("a", "b", around="train/"), pictures("a", "b", each=6, around="test/")
    dataset, _ = check(zip_of([*train, *test]), tmp_path)
    report = dataset.report
    assert (report.duplicates, report.train_test_duplicates, report.class_conflicts) == (10, 10, 0)


def test_the_same_picture_in_two_classes_is_counted(tmp_path: Path) -> None:
    same = [("a/x", picture((7, 7, 7))), ("b/x", picture((7, 7, 7))), ("b/y", picture((7, 7, 7)))]
    dataset, _ = check(zip_of([*pictures("a", "b"), *same]), tmp_path)
    assert (dataset.report.duplicates, dataset.report.class_conflicts) == (2, 3)


def test_a_skipped_picture_is_no_duplicate(tmp_path: Path) -> None:
    files = [*pictures("a", "b"), ("a/x", b""), ("b/x", b"")]
    report = check(zip_of(files), tmp_path, on_bad="skip").dataset.report
    assert (report.duplicates, report.train_test_duplicates, report.class_conflicts) == (0, 0, 0)


def test_the_process_answers_with_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()

    def answer(files: list[tuple[str, bytes]]) -> Any:
        (tmp_path / "upload").write_bytes(zip_of(files))
        return answer_to(
            Order(
                path=tmp_path / "upload",
                into=tmp_path / "into",
                options=UploadOptions(),
                most_bytes=1 << 20,
                most_encoded_bytes=1 << 20,
                memory_bytes=1 << 30,
            )
        )

    found = answer(pictures("a", "b"))
    assert found.found.kind == "images"
    assert type(found).model_validate_json(found.model_dump_json()) == found
    found = answer([*pictures("a", "b"), ("a/bad", b"")])
    assert (found.found, found.faults_total, found.faults[0].file, found.storage) == (None, 1, "a/bad", "")


def test_a_disk_that_is_full_is_no_fault_of_the_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "into").mkdir()
    (tmp_path / "upload").write_bytes(zip_of(pictures("a", "b")))
    monkeypatch.setattr("os.posix_fallocate", full)
    order = {"path": tmp_path / "upload", "into": tmp_path / "into", "options": UploadOptions()}
    answer = answer_to(Order(**order, most_bytes=1 << 20, most_encoded_bytes=1 << 20, memory_bytes=1 << 30))
    assert (answer.found, answer.detail, answer.storage) == (None, "", "No space left on device")


def test_a_refusal_says_what_the_first_fault_is(tmp_path: Path) -> None:
    error = refusal(zip_of([("a/1", b"text")]), tmp_path)
    assert str(error).startswith("there is no picture that can be read: file 'a/1': found no picture; wanted a PNG")
