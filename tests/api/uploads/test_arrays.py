"""What arrays become, and what is said of those that cannot become anything."""

import gzip
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.uploads import arrays as checking
from api.uploads.arrays import MOST_FEATURES
from api.uploads.checked import CheckedArrays, CheckedImages, Limits
from jobs.encoding import FARTHEST, ArrayEncoder
from jobs.inputs import ArrayEncoding
from tests.api.uploads.archives import check, npy_of, npz_of, refusal, tar_of, zip_of

N = 40
RNG = np.random.default_rng(0)
X = RNG.normal(5, 3, (N, 3))
Y = np.arange(N) % 2
WORDS = np.array(["up", "down"])[Y]


def numbered(count: int = N, *, of: int = 3) -> Any:
    """Examples whose first value is their number."""
    x = RNG.normal(size=(count, of))
    x[:, 0] = np.arange(count)
    return x


def kept(checked: Any, part: str) -> list[int]:
    """Numbers of the examples of a part."""
    dataset, arrays = checked
    first = arrays[f"{part}_x"][:, 0].astype(float) * dataset.encoding.std[0] + dataset.encoding.mean[0]
    return np.rint(first).astype(int).tolist()


def npy(header: bytes, data: bytes = b"") -> bytes:
    """A .npy with a header of one's own."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def idx_of(array: Any, *, type_code: int = 8) -> bytes:
    """An IDX file."""
    array = np.asarray(array, np.uint8)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, type_code, array.ndim]) + sizes + array.tobytes()


# --- what they become ------------------------------------------------------------------------------


def test_numbers_and_labels_become_arrays(tmp_path: Path) -> None:
    dataset, arrays = check(npz_of(x_train=X, y_train=Y), tmp_path)
    assert isinstance(dataset, CheckedArrays)
    assert (dataset.task, dataset.classes, dataset.targets) == ("classification", ("0", "1"), None)
    assert (dataset.shape, dataset.dtype) == ((3,), "float32")
    assert (dataset.train_examples, dataset.validation_examples, dataset.test_examples) == (32, 0, 8)
    assert sorted(arrays) == ["test_x", "test_y", "train_x", "train_y"]
    assert (arrays["train_x"].dtype, arrays["train_x"].shape) == (np.float32, (32, 3))
    assert (arrays["train_y"].dtype, arrays["train_y"].shape) == (np.int32, (32,))
    assert dataset.report.class_counts == {"0": 20, "1": 20}


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y, ("0", "1")),
        (np.arange(N, dtype=np.int8) % 3 - 1, ("-1", "0", "1")),
        (np.array([10, 9])[Y].astype(np.uint64), ("9", "10")),
        (Y.astype(bool), ("false", "true")),
        (WORDS, ("down", "up")),
        (np.char.add(np.char.add(" ", WORDS), "\t"), ("down", "up")),
        (np.array(["Köln", "Ulm"])[Y], ("Köln", "Ulm")),
        (np.array(["Köln".encode(), b"Ulm"])[Y], ("Köln", "Ulm")),
        (np.array(["10", "9"])[Y], ("10", "9")),
        (Y.reshape(-1, 1), ("0", "1")),
        (Y.astype(">i4"), ("0", "1")),
        (WORDS.astype(">U4"), ("down", "up")),
    ],
)
def test_classes_are_what_labels_are(tmp_path: Path, y: Any, classes: tuple[str, ...]) -> None:
    x = numbered()
    checked = check(npz_of(x_train=x, y_train=y), tmp_path)
    assert (checked.dataset.task, checked.dataset.classes) == ("classification", classes)
    for part in ("train", "test"):
        for number, label in zip(kept(checked, part), checked.arrays[f"{part}_y"].tolist(), strict=True):
            raw = np.ravel(y)[number]
            told = raw.decode() if isinstance(raw, bytes) else str(raw).strip()
            assert {"True": "true", "False": "false"}.get(told, told) == classes[label]


def test_examples_of_one_axis_are_rows_of_one_in_each_part(tmp_path: Path) -> None:
    x = X[:, 0]
    dataset, arrays = check(
        npz_of(x_train=x, y_train=Y, x_val=x[:9], y_val=Y[:9], x_test=x[:8], y_test=Y[:8]), tmp_path
    )
    assert isinstance(dataset, CheckedArrays)
    assert dataset.shape == (1,)
    assert [arrays[f"{part}_x"].shape for part in ("train", "val", "test")] == [(N, 1), (9, 1), (8, 1)]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_whole_floats_are_classes_where_they_are_said_to_be(tmp_path: Path, dtype: Any) -> None:
    dataset, arrays = check(npz_of(x_train=X, y_train=Y.astype(dtype)), tmp_path, task="classification")
    assert dataset.classes == ("0", "1")
    assert arrays["train_y"].dtype == np.int32


@pytest.mark.parametrize(
    ("y", "options"),
    [(X[:, 0], {}), (X[:, :1], {}), (X[:, 0].astype(np.float32), {}), (np.arange(N), {"task": "regression"})],
)
def test_one_target_is_standardised(tmp_path: Path, y: Any, options: dict[str, Any]) -> None:
    dataset, arrays = check(npz_of(x_train=X, y_train=y), tmp_path, **options)
    assert (dataset.task, dataset.classes, dataset.report.class_counts) == ("regression", None, None)
    assert dataset.targets
    assert [target.name for target in dataset.targets] == ["target"]
    assert (arrays["train_y"].dtype, arrays["train_y"].shape) == (np.float32, (32, 1))
    np.testing.assert_allclose(arrays["train_y"].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(arrays["train_y"].std(), 1, atol=1e-6)
    values = np.concatenate([arrays["train_y"], arrays["test_y"]]) * dataset.targets[0].std + dataset.targets[0].mean
    np.testing.assert_allclose(np.sort(values.ravel()), np.sort(np.ravel(y)), atol=1e-4)


def test_several_targets_are_standardised_each(tmp_path: Path) -> None:
    x = numbered()
    y = np.stack([np.arange(N) * 2.0, -(np.arange(N) ** 2.0), RNG.normal(size=N)], axis=1)
    checked = check(npz_of(x_train=x, y_train=y), tmp_path)
    targets = checked.dataset.targets or ()
    assert [target.name for target in targets] == ["target_0", "target_1", "target_2"]
    for part in ("train", "test"):
        values = checked.arrays[f"{part}_y"] * [t.std for t in targets] + [t.mean for t in targets]
        np.testing.assert_allclose(values, y[kept(checked, part)], atol=1e-3)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (4, 5), (2, 3, 4), (3, 2, 2, 2)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i2", "u4", "?", ">f8", ">i4", "i1"])
def test_numbers_of_any_shape_are_standardised(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(1).integers(0, 2, (N, *shape)).astype(dtype)
    dataset, arrays = check(npz_of(x_train=x, y_train=Y), tmp_path)
    shape = shape or (1,)
    assert isinstance(dataset, CheckedArrays)
    assert (dataset.shape, dataset.dtype) == (shape, "float32")
    assert dataset.encoding
    assert len(dataset.encoding.mean) == len(dataset.encoding.std) == np.prod(shape)
    np.testing.assert_allclose(arrays["train_x"].mean(axis=0), 0, atol=1e-5)
    known = {
        tuple(row)
        for row in ArrayEncoder(dataset.encoding, shape).encode(x.reshape(-1, *shape)).reshape(N, -1).tolist()
    }
    assert {tuple(row) for name in ("train_x", "test_x") for row in arrays[name].tolist()} <= known


def test_many_values_are_standardised_along_the_last_axis(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal([1, 100], [2, 5], (10, MOST_FEATURES, 2)).astype(np.float32)
    dataset, arrays = check(npz_of(x_train=x, y_train=Y[:10]), tmp_path)
    assert isinstance(dataset.encoding, ArrayEncoding)
    np.testing.assert_allclose(dataset.encoding.mean, [1, 100], rtol=0.05)
    np.testing.assert_allclose(dataset.encoding.std, [2, 5], rtol=0.05)
    np.testing.assert_allclose(arrays["train_x"].reshape(-1, 2).std(axis=0), 1, atol=1e-4)


def test_the_mean_and_deviation_are_of_training_examples_alone(tmp_path: Path) -> None:
    content = npz_of(x_train=X, y_train=Y, x_val=X + 100, y_val=Y, x_test=X * 9, y_test=Y)
    dataset, arrays = check(content, tmp_path)
    assert isinstance(dataset.encoding, ArrayEncoding)
    np.testing.assert_allclose(dataset.encoding.mean, X.mean(axis=0))
    np.testing.assert_allclose(dataset.encoding.std, X.std(axis=0))
    assert arrays["val_x"].mean() > 10


def test_the_deviation_of_what_is_the_same_everywhere_is_one(tmp_path: Path) -> None:
    x = np.stack([np.full(N, 0.1), np.zeros(N), np.full(N, 1e6 + 0.1), np.arange(N)], axis=1)
    dataset, arrays = check(npz_of(x_train=x, y_train=Y), tmp_path)
    assert isinstance(dataset.encoding, ArrayEncoding)
    assert dataset.encoding.std[:3] == (1, 1, 1)
    np.testing.assert_allclose(arrays["train_x"][:, :3], 0, atol=1e-6)


def test_a_small_number_of_examples_at_once_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = numbered()
    x[7, 1] = np.nan
    content = npz_of(x_train=x, y_train=WORDS, x_test=x, y_test=WORDS)
    found = []
    for name in ("whole", "pieces"):
        (tmp_path / name).mkdir()
        found.append(check(content, tmp_path / name, on_bad="skip"))
        monkeypatch.setattr(checking, "BLOCK_BYTES", 7 * 3 * 8)
    assert found[0].dataset.report == found[1].dataset.report
    for name, array in found[0].arrays.items():
        np.testing.assert_allclose(array, found[1].arrays[name], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "image"), [((6, 5), (6, 5, 1)), ((6, 5, 1), (6, 5, 1)), ((6, 5, 3), (6, 5, 3)), ((6, 5, 4), (6, 5, 4))]
)
def test_bytes_of_rank_three_and_four_are_pictures(
    tmp_path: Path, shape: tuple[int, ...], image: tuple[int, ...]
) -> None:
    x = RNG.integers(0, 256, (N, *shape), np.uint8)
    dataset, arrays = check(npz_of(x_train=x, y_train=Y), tmp_path)
    assert isinstance(dataset, CheckedImages)
    assert (dataset.shape, dataset.dtype) == (image, "uint8")
    assert arrays["train_x"].dtype == np.uint8
    rows = {row.tobytes(): label for row, label in zip(x, Y, strict=True)}
    for part in ("train", "test"):
        assert [rows[row.tobytes()] for row in arrays[f"{part}_x"]] == arrays[f"{part}_y"].tolist()
        assert (tmp_path / "into" / f"preview-{part}.png").exists()


@pytest.mark.parametrize("shape", [(), (9,), (6, 5, 2), (2, 3, 4, 3)])
def test_other_bytes_go_in_as_they_are(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = RNG.integers(0, 256, (N, *shape), np.uint8)
    dataset, arrays = check(npz_of(x_train=x, y_train=Y), tmp_path)
    assert isinstance(dataset, CheckedArrays)
    assert (dataset.encoding, dataset.shape, dataset.dtype) == (None, shape or (1,), "uint8")
    assert {row.tobytes() for row in arrays["train_x"]} <= {row.tobytes() for row in x}


def test_pictures_may_have_numbers_to_be_told(tmp_path: Path) -> None:
    dataset, _ = check(npz_of(x_train=RNG.integers(0, 256, (N, 6, 5), np.uint8), y_train=X), tmp_path)
    assert (dataset.kind, dataset.task, len(dataset.targets or ())) == ("images", "regression", 3)


@pytest.mark.parametrize(
    "change", [np.asfortranarray, lambda x: x[::-1][::-1], lambda x: x.astype(x.dtype.newbyteorder(">"))]
)
@pytest.mark.parametrize("x", [X, RNG.normal(size=(N, 4, 5)), RNG.integers(0, 256, (N, 5, 4), np.uint8)])
def test_the_layout_makes_no_difference(tmp_path: Path, change: Any, x: Any) -> None:
    found = []
    for name, array in (("plain", x), ("changed", change(x))):
        (tmp_path / name).mkdir()
        found.append(check(npz_of(x_train=array, y_train=Y), tmp_path / name))
    assert found[0].dataset == found[1].dataset
    assert all((array == found[1].arrays[name]).all() for name, array in found[0].arrays.items())


def test_long_doubles_are_read(tmp_path: Path) -> None:
    dataset, arrays = check(npz_of(x_train=X.astype(np.longdouble), y_train=Y), tmp_path)
    assert dataset.dtype == "float32"
    np.testing.assert_allclose(arrays["train_x"].std(axis=0), 1, atol=1e-5)


def test_parts_that_were_brought_are_kept(tmp_path: Path) -> None:
    x = numbered()
    parts = {"train": slice(0, 20), "val": slice(20, 26), "test": slice(26, 40)}
    content = npz_of(
        **{f"{axis}_{part}": a[some] for part, some in parts.items() for axis, a in (("x", x), ("y", WORDS))}
    )
    checked = check(content, tmp_path)
    dataset = checked.dataset
    assert (dataset.train_examples, dataset.validation_examples, dataset.test_examples) == (20, 6, 14)
    for part, some in parts.items():
        found = kept(checked, part)
        assert sorted(found) == list(range(N))[some]
        assert [("down", "up")[label] for label in checked.arrays[f"{part}_y"]] == WORDS[found].tolist()


def test_a_test_part_is_taken_from_training_alone(tmp_path: Path) -> None:
    x = numbered()
    checked = check(npz_of(x_train=x[:30], y_train=Y[:30], x_val=x[30:], y_val=Y[30:]), tmp_path, test_split=0.5)
    assert [checked.dataset.train_examples, checked.dataset.test_examples] == [15, 15]
    assert sorted(kept(checked, "train") + kept(checked, "test")) == list(range(30))


def test_types_of_the_parts_may_differ(tmp_path: Path) -> None:
    content = npz_of(x_train=X, y_train=Y, x_test=X.astype(np.int16), y_test=Y.astype(np.uint8))
    assert check(content, tmp_path).dataset.dtype == "float32"


def test_labels_may_be_bytes_in_one_part_and_texts_in_another(tmp_path: Path) -> None:
    towns = np.array(["Köln", "Ulm"])[Y]
    content = npz_of(x_train=X, y_train=np.char.encode(towns, "utf-8"), x_test=X, y_test=towns)
    dataset, arrays = check(content, tmp_path)
    assert dataset.classes == ("Köln", "Ulm")
    assert np.bincount(arrays["test_y"]).tolist() == [20, 20]


def test_the_preview_shows_the_first_examples_as_they_came(tmp_path: Path) -> None:
    x = numbered(N, of=2).astype(np.float32)
    checked = check(npz_of(x_train=x, y_train=WORDS), tmp_path)
    preview = json.loads((tmp_path / "into" / "preview.json").read_text("utf-8"))
    assert {part: len(rows) for part, rows in preview.items()} == {"train": 32, "val": 0, "test": 8}
    for part in ("train", "test"):
        numbers = kept(checked, part)
        assert [row["features"] for row in preview[part]] == x[numbers].tolist()
        assert [row["label"] for row in preview[part]] == WORDS[numbers].tolist()


# --- what is wrong with them -----------------------------------------------------------------------


def faulty(seed: int) -> tuple[dict[str, Any], list[tuple[str, int]], dict[str, list[int]]]:
    """Arrays with faults; these, by array and row; and the rows of each part that are sound."""
    rng = random.Random(seed)
    x, faults, sound = numbered(100), [], {}
    arrays: dict[str, Any] = {"x_train": x[:70], "y_train": WORDS[np.arange(70) % 2]}
    arrays |= {"x_test": x[70:], "y_test": WORDS[np.arange(30) % 2]}
    for part, count, begin in (("train", 70, 0), ("test", 30, 70)):
        bad = sorted(rng.sample(range(count), rng.randrange(2, 9)))
        for row in bad:
            arrays[f"x_{part}"][row, rng.randrange(3)] = rng.choice([np.nan, np.inf, -np.inf])
        faults += [(f"x_{part}", row + 1) for row in bad]
        sound[part] = [begin + row for row in range(count) if row not in bad]
    for part in ("train", "test"):
        row = rng.choice(sound[part])
        begin = 70 * (part == "test")
        arrays[f"y_{part}"][row - begin] = " "
        sound[part].remove(row)
        faults.append((f"y_{part}", row - begin + 1))
    return arrays, faults, sound


@pytest.mark.parametrize("seed", range(5))
def test_every_fault_is_named_by_its_row_and_none_else(tmp_path: Path, seed: int) -> None:
    arrays, faults, _ = faulty(seed)
    error = refusal(npz_of(**arrays), tmp_path)
    assert [(fault.column, fault.row) for fault in error.faults] == faults
    assert error.total == len(faults)


@pytest.mark.parametrize("seed", range(5))
def test_skipping_keeps_exactly_the_others(tmp_path: Path, seed: int) -> None:
    arrays, faults, sound = faulty(seed)
    checked = check(npz_of(**arrays), tmp_path, on_bad="skip")
    assert checked.dataset.classes == ("down", "up")
    assert (checked.dataset.report.skipped, checked.dataset.report.faults_total) == (len(faults), len(faults))
    for part, rows in sound.items():
        found = kept(checked, part)
        assert sorted(found) == rows
        own = arrays[f"y_{part}"][np.array(found) - 70 * (part == "test")]
        assert [("down", "up")[label] for label in checked.arrays[f"{part}_y"]] == own.tolist()
        assert np.isfinite(checked.arrays[f"{part}_x"]).all()


def test_a_fault_says_what_is_where(tmp_path: Path) -> None:
    x = np.zeros((N, 2, 3), np.float32)
    x[4, 1, 2], x[9, 0, 1], x[9, 1, 1] = np.nan, -np.inf, np.nan
    error = refusal(npz_of(x_train=x, y_train=Y), tmp_path)
    assert [(fault.row, fault.column, fault.found) for fault in error.faults] == [
        (5, "x_train", "nan at [1, 2]"),
        (10, "x_train", "-inf at [0, 1]"),
    ]


def test_targets_that_are_no_numbers_are_told_by_row(tmp_path: Path) -> None:
    y = np.stack([np.arange(N), np.arange(N) ** 2], axis=1).astype(float)
    y[3, 1], y[7, 0] = np.nan, np.inf
    error = refusal(npz_of(x_train=X, y_train=y), tmp_path)
    assert [(fault.row, fault.column, fault.found) for fault in error.faults] == [
        (4, "y_train", "nan"),
        (8, "y_train", "inf"),
    ]
    (tmp_path / "skip").mkdir()
    dataset, arrays = check(npz_of(x_train=X, y_train=y), tmp_path / "skip", on_bad="skip")
    assert (dataset.report.skipped, dataset.train_examples + dataset.test_examples) == (2, 38)
    assert np.isfinite(arrays["train_y"]).all()


@pytest.mark.parametrize(("value", "found"), [(0.5, "0.5"), (np.nan, "nan"), (np.inf, "inf")])
def test_labels_that_are_no_whole_numbers_are_told(tmp_path: Path, value: float, found: str) -> None:
    y = Y.astype(float)
    y[5] = value
    error = refusal(npz_of(x_train=X, y_train=y), tmp_path, task="classification")
    assert [(fault.row, fault.column, fault.found) for fault in error.faults] == [(6, "y_train", found)]


def test_texts_that_are_no_labels_are_told(tmp_path: Path) -> None:
    y = np.array(["a", "b"] * 20, "U201")
    y[3], y[4] = "", "x" * 201
    error = refusal(npz_of(x_train=X, y_train=y), tmp_path)
    assert [(fault.row, fault.found) for fault in error.faults] == [(4, "an empty text"), (5, "x" * 40)]


def test_an_example_with_two_faults_is_skipped_once(tmp_path: Path) -> None:
    x, y = X.copy(), WORDS.copy()
    x[3, 0], y[3] = np.nan, ""
    report = check(npz_of(x_train=x, y_train=y), tmp_path, on_bad="skip").dataset.report
    assert (report.skipped, report.faults_total) == (1, 2)


def test_a_class_of_skipped_examples_alone_is_none(tmp_path: Path) -> None:
    x, y = X.copy(), Y.copy()
    x[3], y[3] = np.nan, 7
    assert check(npz_of(x_train=x, y_train=y), tmp_path, on_bad="skip").dataset.classes == ("0", "1")


@pytest.mark.parametrize(
    ("arrays", "options", "told"),
    [
        ({"x_train": X, "y_train": Y[:-1]}, {}, "x_train has 40 examples, y_train 39"),
        ({"x_train": X, "y_train": Y, "x_test": X[:3], "y_test": Y[:2]}, {}, "x_test has 3 examples, y_test 2"),
        ({"x_train": X}, {}, "y_train is missing; there is x_train"),
        ({"y_train": Y}, {}, "x_train is missing; there is y_train"),
        ({"x_test": X, "y_test": Y}, {}, "x_train and y_train is missing"),
        ({"x_train": X, "y_train": Y, "x_val": X}, {}, "y_val is missing"),
        ({"x_train": X, "y_train": Y, "z": Y}, {}, "an array 'z'; wanted: x_train, y_train"),
        ({"arr_0": X, "arr_1": Y}, {}, "an array 'arr_0'"),
        ({"x_train": X, "y_train": np.array([{}] * N)}, {}, "y_train holds Python objects"),
        ({"x_train": X.astype(object), "y_train": Y}, {}, "x_train holds Python objects"),
        ({"x_train": X + 1j, "y_train": Y}, {}, "x_train is of complex128"),
        ({"x_train": X.astype("M8[s]"), "y_train": Y}, {}, "x_train is of datetime64"),
        ({"x_train": np.zeros(N, "f4,i2"), "y_train": Y}, {}, "x_train is of [("),
        ({"x_train": WORDS, "y_train": Y}, {}, "x_train is of <U4; wanted: numbers"),
        ({"x_train": np.float64(1), "y_train": Y}, {}, "need a first axis"),
        ({"x_train": X, "y_train": np.int64(1)}, {}, "need a first axis"),
        ({"x_train": X[:0], "y_train": Y[:0]}, {}, "no example is left to train on"),
        ({"x_train": X[:, :0], "y_train": Y}, {}, "an example has 0 values"),
        ({"x_train": X[:1], "y_train": Y[:1]}, {}, "leaves 0 for testing"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y}, {}, "x_train is 3, one of x_test 2"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, 0], "y_test": Y}, {}, "x_train is 3, one of x_test 1"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": WORDS}, {}, "one part are texts, and those of another"),
        ({"x_train": X, "y_train": WORDS}, {"task": "regression"}, "task=regression wants numbers"),
        ({"x_train": X, "y_train": np.eye(2, dtype=int)[Y]}, {}, "y_train is 40 x 2; wanted: [N]: the class of each"),
        ({"x_train": X, "y_train": X.reshape(N, 3, 1)}, {}, "y_train is 40 x 3 x 1"),
        ({"x_train": X, "y_train": np.zeros((N, 65))}, {}, "the same, 1 to 64"),
        ({"x_train": X, "y_train": np.zeros((N, 0))}, {}, "the same, 1 to 64"),
        ({"x_train": X, "y_train": X, "x_test": X, "y_test": X[:, :2]}, {}, "there are: y_train 3, y_test 2"),
        ({"x_train": X, "y_train": np.full(N, 2.5)}, {}, "2.5 in every example"),
        ({"x_train": X, "y_train": np.stack([X[:, 0], X[:, 0] * 0], 1)}, {}, "target 1 is 0 in every example"),
        ({"x_train": X, "y_train": Y * 0}, {}, "one class, '0'"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, {}, "no training example has the class '2'"),
        ({"x_train": np.full_like(X, np.nan), "y_train": Y}, {"on_bad": "skip"}, "no example is left"),
        ({"x_train": np.full_like(X, 1e300) * np.arange(N)[:, None], "y_train": Y}, {}, "too large for a mean"),
        ({"x_train": X, "y_train": Y}, {"size": (2, 2)}, "size: for files of pictures, and this is an archive of arr"),
        ({"x_train": X, "y_train": Y}, {"targets": ("a",)}, "target: for tables"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_cannot_be_learnt_from_is_refused(
    tmp_path: Path, arrays: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    assert told in str(refusal(npz_of(**arrays), tmp_path, **options))


def test_more_classes_than_are_taken_are_refused(tmp_path: Path) -> None:
    y = np.arange(2002) % 1001
    error = refusal(npz_of(x_train=y, y_train=y), tmp_path)
    assert "1,001 classes; at most 1,000 are taken: or are they numbers (task=regression)?" in error.detail
    (tmp_path / "more").mkdir()
    assert check(npz_of(x_train=y, y_train=y % 1000), tmp_path / "more").dataset.task == "classification"


def test_arrays_that_take_too_much_are_refused(tmp_path: Path) -> None:
    limits = Limits(most_bytes=1 << 20, most_encoded_bytes=1000)
    assert "more than 1,000 bytes" in refusal(npz_of(x_train=X, y_train=Y), tmp_path, limits=limits).detail
    content = npz_of(x_train=np.zeros((100, 3), np.int8), y_train=np.arange(100, dtype=np.int8) % 2)
    limits = Limits(most_bytes=1 << 20, most_encoded_bytes=1199)
    assert "the arrays take 1,200 bytes" in refusal(content, tmp_path, limits=limits).detail


def test_duplicates_and_conflicts_are_counted(tmp_path: Path) -> None:
    x = numbered(30)
    x[10], x[11], x[20] = x[0], x[0], x[1]
    y = np.zeros(30, int)
    y[::2] = 1  # 0, 10 and 20 are of class 1, 1 and 11 of class 0
    content = npz_of(x_train=x[:15], y_train=y[:15], x_test=x[15:], y_test=y[15:])
    report = check(content, tmp_path).dataset.report
    assert (report.duplicates, report.train_test_duplicates, report.class_conflicts) == (3, 1, 5)


def test_numbers_to_be_told_have_no_conflicts(tmp_path: Path) -> None:
    report = check(npz_of(x_train=X[np.arange(N) // 2], y_train=np.arange(N) * 1.0), tmp_path).dataset.report
    assert (report.duplicates, report.class_conflicts) == (20, 0)


# --- how they are stored ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["zip", "deflated", "tar", "tar.gz"])
def test_any_archive_of_npy_files_is_read(tmp_path: Path, form: str) -> None:
    files = [("y_train.npy", npy_of(Y)), ("x_train.npy", npy_of(X))]
    content = {
        "zip": zip_of(files),
        "deflated": zip_of(files, compression=zipfile.ZIP_DEFLATED),
        "tar": tar_of(files),
        "tar.gz": tar_of(files, gz=True),
    }[form]
    assert check(content, tmp_path).dataset.train_examples == 32


@pytest.mark.parametrize("form", ["./", "__MACOSX"])
def test_what_packing_adds_does_no_harm(tmp_path: Path, form: str) -> None:
    before, added = ("./", []) if form == "./" else ("", [("__MACOSX/._x_train.npy", b"?")])
    content = tar_of([(f"{before}x_train.npy", npy_of(X)), (f"{before}y_train.npy", npy_of(Y)), *added])
    assert check(content, tmp_path).dataset.train_examples == 32


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy_is_read(tmp_path: Path, version: tuple[int, int]) -> None:
    with (tmp_path / "npy").open("wb") as file:
        np.lib.format.write_array(file, X, version=version)
    content = zip_of([("x_train.npy", (tmp_path / "npy").read_bytes()), ("y_train.npy", npy_of(Y))])
    (tmp_path / "checked").mkdir()
    assert check(content, tmp_path / "checked").dataset.shape == (3,)


def test_an_array_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    content = zip_of([("x_train.npy", npy_of(X)), ("y_train.npy", npy_of(Y)), ("x_train.npy", npy_of(X))])
    assert "the array 'x_train' is there twice" in refusal(content, tmp_path).detail


HEAD = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"no array",
        npy_of(X)[:20],
        npy_of(X)[:-1],
        npy_of(X) + b"\0",
        npy(HEAD % b"2, 3", bytes(8)),
        npy(HEAD % b"-1, -3", bytes(24)),
        npy(HEAD % b"0, %d" % 10**30),
        npy(HEAD % b"10**9,"),
        npy(HEAD % b"1.5,", bytes(12)),
        npy(HEAD % (b"1, " * 65), bytes(8)),
        npy(HEAD % b"%d," % 2**62, bytes(8)),
        npy(b"{'descr': '<f8'"),
        npy(b"'''"),
        npy(b"(" * 1000),
        npy(b"-" * 60_000 + b"1"),
        npy(b"{[]: 1}"),
        npy(b"{}"),
        npy(b"\xff\xfe"),
        npy(b"{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }"),
        npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x04N."),
        b"\x93NUMPY\x09\x00" + npy_of(X)[8:],
    ],
    ids=len,
)
def test_an_array_that_cannot_be_read_is_told(tmp_path: Path, content: bytes) -> None:
    detail = refusal(zip_of([("x_train.npy", content), ("y_train.npy", npy_of(Y))]), tmp_path).detail
    assert detail.startswith("x_train ")
    assert detail.isprintable()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_told(tmp_path: Path, compression: int) -> None:
    content = bytearray(zip_of([("x_train.npy", npy_of(X)), ("y_train.npy", npy_of(Y))], compression=compression))
    content[300:310] = bytes(255 - byte for byte in content[300:310])
    assert "'x_train.npy' is damaged" in refusal(bytes(content), tmp_path).detail


def test_an_encrypted_array_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_of([("x_train.npy", npy_of(X))]))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "'x_train.npy' is damaged: " in refusal(bytes(content), tmp_path).detail


IMAGES = RNG.integers(0, 256, (N, 7, 5), np.uint8)
MNIST = {
    "train-images-idx3-ubyte": idx_of(IMAGES),
    "train-labels-idx1-ubyte": idx_of(Y),
    "t10k-images-idx3-ubyte": idx_of(IMAGES[:9]),
    "t10k-labels-idx1-ubyte": idx_of(Y[:9]),
}


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("around", ["", "data/MNIST/raw/"])
def test_idx_files_are_read(tmp_path: Path, form: str, within: bool, around: str) -> None:
    files = [(around + name + ".gz" * within, gzip.compress(it) if within else it) for name, it in MNIST.items()]
    files.append((f"{around}.DS_Store", b"?"))
    dataset, arrays = check(zip_of(files) if form == "zip" else tar_of(files, gz=form == "tar.gz"), tmp_path)
    assert isinstance(dataset, CheckedImages)
    assert (dataset.shape, dataset.classes) == ((7, 5, 1), ("0", "1"))
    assert (dataset.train_examples, dataset.test_examples) == (N, 9)
    rows = {row.tobytes(): label for row, label in zip(IMAGES, Y, strict=True)}
    assert [rows[row.tobytes()] for row in arrays["train_x"]] == arrays["train_y"].tolist()


@pytest.mark.parametrize(
    "names",
    [
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train_images_idx3_ubyte", "train_labels_idx1_ubyte"),
        ("Train-Images-idx3-ubyte", "TRAIN-LABELS-IDX1-UBYTE"),
    ],
)
def test_idx_files_have_several_names(tmp_path: Path, names: tuple[str, str]) -> None:
    content = zip_of([(names[0], idx_of(IMAGES)), (names[1], idx_of(Y))])
    assert check(content, tmp_path).dataset.train_examples == 32


def test_idx_files_of_vectors_are_arrays(tmp_path: Path) -> None:
    content = zip_of([("train-images-idx2-ubyte", idx_of(IMAGES[:, 0])), ("train-labels-idx1-ubyte", idx_of(Y))])
    dataset, _ = check(content, tmp_path)
    assert (dataset.kind, dataset.shape, dataset.dtype) == ("arrays", (5,), "uint8")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "begins as no IDX file"),
        (b"\0\0\x08", "begins as no IDX file"),
        (b"\0\0\x08\0", "begins as no IDX file"),
        (b"\0\0\x08\x03\0\0\0\x01", "begins as no IDX file"),
        (idx_of(IMAGES, type_code=13), "begins as no IDX file"),
        (idx_of(IMAGES)[:-1], "1,399 bytes of data; its head says 40 x 7 x 5"),
        (idx_of(IMAGES) + b"\0", "1,401 bytes of data; its head says 40 x 7 x 5"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "its head says 4,294,967,295 x 4,294,967,295"),
        (b"\0\0\x08\x64" + b"\0\0\0\x01" * 100 + b"x", "'train-images-idx3-ubyte'"),
        (b"\0\0\x08\x04" + b"\0\0\0\0" + b"\xff" * 12, "'train-images-idx3-ubyte'"),
        (gzip.compress(idx_of(IMAGES))[:-20], "is damaged"),
        (gzip.compress(idx_of(IMAGES))[:-4] + b"\1\2\3\4", "is damaged"),
    ],
    ids=len,
)
def test_an_idx_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    detail = refusal(zip_of(list((MNIST | {"train-images-idx3-ubyte": content}).items())), tmp_path).detail
    assert told in detail
    assert "'train-images-idx3-ubyte'" in detail


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("readme.txt", "'readme.txt' stands beside IDX files"),
        ("train-images.idx3-ubyte", "another file of the same part"),
        ("more/train-labels-idx1-ubyte", "another file of the same part"),
    ],
)
def test_other_files_beside_idx_files_are_refused(tmp_path: Path, added: str, told: str) -> None:
    assert told in refusal(zip_of([*MNIST.items(), (added, idx_of(Y))]), tmp_path).detail


def test_a_name_of_nothing_beside_idx_files_is_refused(tmp_path: Path) -> None:
    assert "stands beside IDX files" in refusal(zip_of([*MNIST.items(), (".", b"")]), tmp_path).detail


def test_idx_files_unpack_to_so_many_bytes_at_most(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(1 << 20))
    limits = Limits(most_bytes=1 << 20, most_encoded_bytes=(1 << 20) - 1)
    content = zip_of([("train-images-idx3-ubyte.gz", bomb)])
    assert "more than 1,048,575 bytes, unpacked" in refusal(content, tmp_path, limits=limits).detail


# --- what encodes them -----------------------------------------------------------------------------


def test_an_encoder_standardises_each_value() -> None:
    encoder = ArrayEncoder(ArrayEncoding(mean=(1, 2, 3, 4), std=(1, 2, 1, 4)), (2, 2))
    encoded = encoder.encode(np.array([[[2, 4], [3, 0]]]))
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[[1, 1], [0, -1]]]


def test_an_encoder_standardises_along_the_last_axis() -> None:
    encoder = ArrayEncoder(ArrayEncoding(mean=(1, 2), std=(1, 2)), (3, 2))
    assert encoder.encode(np.full((1, 3, 2), 4)).tolist() == [[[3, 1]] * 3]


def test_what_is_far_away_is_as_far_as_is_taken() -> None:
    encoder = ArrayEncoder(ArrayEncoding(mean=(0,), std=(1e-3,)), (1,))
    assert encoder.encode(np.array([[1e300], [-1e300], [2.0]])).tolist() == [[FARTHEST], [-FARTHEST], [2000]]


def test_an_encoder_leaves_what_it_is_given_as_it_is() -> None:
    values = np.array([[3.0]])
    ArrayEncoder(ArrayEncoding(mean=(1,), std=(2,)), (1,)).encode(values)
    assert values.tolist() == [[3.0]]
