"""Pictures of a dataset are shown in a grid, each above its class."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.uploads.grid import COLUMNS, GAP, LABEL_HEIGHT, LEAST_TILE, MOST_SHOWN, cropped, grid_name, write_grids
from jobs.inputs import ImageEncoding


def written(
    folder: Path, count: int, *, height: int = 4, width: int = 4, channels: int = 3, classes: list[str] | None = None
) -> bytes:
    """The grid of so many pictures, each of one colour: as red as its number."""
    encoding = ImageEncoding.model_validate({"height": height, "width": width, "channels": channels})
    x = np.zeros((count, *encoding.shape), np.uint8)
    x[..., 0] = np.arange(count)[:, None, None]
    if channels == 4:
        x[..., 3] = 255
    np.save(folder / "train_x.npy", x.reshape(count, -1))
    np.save(folder / "train_y.npy", np.arange(count, dtype=np.int32) % len(classes or "ab"))
    write_grids(folder, encoding, classes)
    return (folder / grid_name("train")).read_bytes()


def opened(grid: bytes) -> Image.Image:
    return Image.open(io.BytesIO(grid), formats=("PNG",))


def reds(grid: bytes, *, count: int, tile: tuple[int, int] = (LEAST_TILE, LEAST_TILE)) -> list[int]:
    """What is in the middle of each picture."""
    image = opened(grid).convert("RGB")
    width, height = max(tile[0], LEAST_TILE) + GAP, tile[1] + LABEL_HEIGHT + GAP
    places = [(n % COLUMNS * width + tile[0] // 2, n // COLUMNS * height + tile[1] // 2) for n in range(count)]
    return [image.getpixel(place)[0] for place in places]  # type: ignore[index]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 99, 100])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_each_picture_is_in_its_place(tmp_path: Path, count: int, channels: int) -> None:
    grid = written(tmp_path, count, channels=channels, classes=["a", "b"])
    assert reds(grid, count=count) == list(range(count))
    tile = LEAST_TILE + GAP
    rows = -(-count // COLUMNS)
    assert opened(grid).size == (tile * min(count, COLUMNS), (tile + LABEL_HEIGHT) * rows)


def test_the_first_hundred_are_shown(tmp_path: Path) -> None:
    assert reds(written(tmp_path, 150, classes=["a", "b"]), count=MOST_SHOWN) == list(range(MOST_SHOWN))


@pytest.mark.parametrize(
    ("height", "width", "tile"),
    [
        (1, 1, (48, 48)),
        (28, 28, (28, 28)),
        (20, 10, (20, 40)),
        (96, 50, (50, 96)),
        (128, 128, (128, 128)),
        (256, 512, (128, 64)),
        (1, 999, (128, 1)),
    ],
)
def test_pictures_are_shown_in_a_size_to_be_looked_at(
    tmp_path: Path, height: int, width: int, tile: tuple[int, int]
) -> None:
    image = opened(written(tmp_path, 1, height=height, width=width, classes=["a", "b"]))
    assert (image.width - GAP, image.height - LABEL_HEIGHT - GAP) == (max(tile[0], LEAST_TILE), tile[1])


def test_a_class_is_written_below(tmp_path: Path) -> None:
    below = (0, LEAST_TILE + GAP, LEAST_TILE + GAP, LEAST_TILE + GAP + LABEL_HEIGHT)
    named = opened(written(tmp_path, 1, classes=["cats", "dogs"])).crop(below)
    assert np.asarray(named).min() < 128
    unnamed = opened(written(tmp_path, 1)).crop(below)
    assert np.asarray(unnamed).min() == 255


@pytest.mark.parametrize("label", ["", "x" * 200, "猫", "a\nb", "\x1b[2J", "é" * 20])
def test_any_class_can_be_written(tmp_path: Path, label: str) -> None:
    assert opened(written(tmp_path, 2, classes=[label, "b"])).height == LEAST_TILE + GAP + LABEL_HEIGHT


def test_what_can_be_seen_through_is_shown_on_white(tmp_path: Path) -> None:
    np.save(tmp_path / "test_x.npy", np.zeros((1, 4), np.uint8))
    np.save(tmp_path / "test_y.npy", np.zeros(1, np.int32))
    write_grids(tmp_path, ImageEncoding(height=1, width=1, channels=4), ["a"])
    grid = (tmp_path / grid_name("test")).read_bytes()
    assert opened(grid).convert("RGB").getpixel((20, 20)) == (255, 255, 255)


def test_each_part_has_a_grid(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        np.save(tmp_path / f"{part}_x.npy", np.zeros((3, 4), np.uint8))
        np.save(tmp_path / f"{part}_y.npy", np.zeros((3, 1), np.float32))
    write_grids(tmp_path, ImageEncoding(height=2, width=2, channels=1), None)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "preview-test.png",
        "preview-train.png",
        "preview-val.png",
    ]


@pytest.mark.parametrize(("examples", "rows"), [(1, 1), (10, 1), (11, 2), (25, 3), (35, 4), (100, 4)])
def test_a_grid_is_cropped_to_whole_rows(tmp_path: Path, examples: int, rows: int) -> None:
    grid = written(tmp_path, 35, classes=["a", "b"])
    image = opened(cropped(grid, examples=examples))
    assert image.size == (opened(grid).width, rows * (LEAST_TILE + GAP + LABEL_HEIGHT))
    assert (np.asarray(image) == np.asarray(opened(grid))[: image.height]).all()


def test_a_grid_of_few_rows_is_left_as_it_is(tmp_path: Path) -> None:
    grid = written(tmp_path, 5, classes=["a", "b"])
    assert cropped(grid, examples=100) is grid
