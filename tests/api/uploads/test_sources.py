"""Where each test example is in the upload: told in the very order of the arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.dataset_files import SOURCES
from tests.api.uploads import archives, tables
from tests.api.uploads.archives import npz_of, picture, zip_of


def sources(folder: Path) -> list[str]:
    return next(folder.rglob(SOURCES)).read_text("utf-8").split("\n")


def test_a_table_tells_rows_as_its_faults_do(tmp_path: Path) -> None:
    rows = [f"{n},{'ab'[n % 2]}" for n in range(1, 61)]
    rows[4] = "5,a,too many"
    rows[9] = "x,b"
    checked = tables.check(tables.csv_of("n,y", rows), tmp_path, on_bad="skip")
    (column, _) = checked.table.encoding.columns
    assert column.kind == "numeric"
    found = [round(value * column.std + column.mean) for value in checked.arrays["test_x"][:, 0].tolist()]
    assert sources(tmp_path) == [f"row {number}" for number in found]


def test_pictures_are_told_by_their_files(tmp_path: Path) -> None:
    files = [(f"{'ab'[n % 2]}/{n}.png", picture((n, 0, 0))) for n in range(40)]
    files[3] = ("b/3.png", b"none")
    checked = archives.check(zip_of(files), tmp_path, on_bad="skip")
    values = checked.arrays["test_x"][:, 0].tolist()
    assert sources(tmp_path) == [files[value][0] for value in values]


@pytest.mark.parametrize("brings_test", [False, True])
def test_arrays_are_told_by_name_and_place(tmp_path: Path, brings_test: bool) -> None:
    given: dict[str, Any] = {"x_train": np.arange(40, dtype=np.uint8)[:, None], "y_train": np.arange(40) % 2}
    given["x_train"] = np.repeat(given["x_train"], 5, axis=1)
    if brings_test:
        given |= {"x_test": given["x_train"][:6] + 100, "y_test": given["y_train"][:6]}
    checked = archives.check(npz_of(**given), tmp_path)
    values = checked.arrays["test_x"][:, 0].tolist()
    wanted = (
        [f"x_test[{value - 100}]" for value in values] if brings_test else [f"x_train[{value}]" for value in values]
    )
    assert sources(tmp_path) == wanted


@pytest.mark.parametrize(
    ("x", "y"), [("X", "y"), ("x", "y"), ("train_images", "train_labels"), ("train_features", "train_targets")]
)
def test_arrays_may_have_the_names_that_others_give_them(tmp_path: Path, x: str, y: str) -> None:
    features, labels = np.arange(80, dtype=np.float32).reshape(40, 2), np.arange(40) % 2
    checked = archives.check(npz_of(**{x: features, y: labels}), tmp_path)
    assert checked.dataset.train_examples == 32
