"""Pictures of a dataset to be looked at: a grid of the first ones of each part, each above the name of its class."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from jobs.escapes import escaped
from jobs.inputs import ImageEncoding

COLUMNS = 10
MOST_SHOWN = 100
"""Pictures of each part."""
LEAST_TILE, LARGEST_TILE = 48, 128
"""Pixels along a picture's longer side, as it is shown."""
LABEL_HEIGHT = 14
GAP = 4
LONGEST_LABEL = 16
ROW_HEIGHT = "row_height"
"""Where the PNG says how high a row of pictures is."""


def grid_name(part: str) -> str:
    """Name of the file with the grid of a part."""
    return f"preview-{part}.png"


def write_grids(into: Path, encoding: ImageEncoding, classes: Sequence[str] | None) -> None:
    """Write a grid for each part whose arrays are in the folder, as PNG; without names where there are no classes."""
    for path in into.glob("*_x.npy"):
        part = path.stem.removesuffix("_x")
        x = np.load(path, mmap_mode="r")[:MOST_SHOWN].reshape(-1, *encoding.shape)
        labels: list[int] = np.load(into / f"{part}_y.npy", mmap_mode="r")[:MOST_SHOWN].tolist()
        names = [classes[label] for label in labels] if classes else [""] * len(labels)
        rows = -(-len(x) // COLUMNS)
        grid = _grid(x, names, _tile(encoding))
        told = PngInfo()
        told.add_text(ROW_HEIGHT, str(grid.height // rows))
        grid.save(into / grid_name(part), "PNG", pnginfo=told)


def cropped(grid: bytes, *, examples: int) -> bytes:
    """The first rows of a grid, those that hold so many pictures."""
    image = Image.open(io.BytesIO(grid), formats=("PNG",))
    height = int(image.info[ROW_HEIGHT]) * -(-examples // COLUMNS)
    if height >= image.height:
        return grid
    out = io.BytesIO()
    image.crop((0, 0, image.width, height)).save(out, "PNG")
    return out.getvalue()


def _tile(encoding: ImageEncoding) -> tuple[int, int]:
    """Width and height of a picture as it is shown: small ones in whole multiples, so that their pixels are seen."""
    longest = max(encoding.height, encoding.width)
    scale = max(1, LEAST_TILE // longest) if longest <= LARGEST_TILE else LARGEST_TILE / longest
    return max(1, round(encoding.width * scale)), max(1, round(encoding.height * scale))


def _grid(pictures: NDArray[np.uint8], labels: Sequence[str], tile: tuple[int, int]) -> Image.Image:
    width, height = max(tile[0], LEAST_TILE) + GAP, tile[1] + LABEL_HEIGHT + GAP
    rows = -(-len(pictures) // COLUMNS)
    grid = Image.new("RGB", (width * min(COLUMNS, len(pictures)), height * rows), "white")
    draw, font = ImageDraw.Draw(grid), ImageFont.load_default(10)
    for n, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = n % COLUMNS * width, n // COLUMNS * height
        image = Image.fromarray(np.ascontiguousarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels))
        image = image.resize(tile, Image.Resampling.NEAREST)
        grid.paste(image, (left + GAP // 2, top + GAP // 2), image if image.mode == "RGBA" else None)
        draw.text((left + GAP // 2, top + tile[1] + GAP // 2), escaped(label)[:LONGEST_LABEL], "black", font)
    return grid
