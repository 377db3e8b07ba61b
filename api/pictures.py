"""A picture as pixels, the one place for uploads and predictions: PNG, JPEG, WebP, BMP and GIF (its first frame).

The size and the channels are `ImageEncoding`'s. A picture is turned as its EXIF orientation says. Palettes become
colours, CMYK becomes RGB, 16 bits become the upper 8. What can be seen through is laid on white where 1 or 3 channels
are wanted. Grey is ITU-R 601-2's luma.
"""

import io
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from api.png import Incomplete, check_png
from jobs.escapes import escaped
from jobs.inputs import ImageEncoding

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
WANTED = "a PNG, JPEG, WebP, BMP or GIF"
MOST_PIXELS = 16_000_000
"""Of a picture as it is decoded."""
MOST_JPEG_PIXELS = 64_000_000
"""Of a JPEG's head: one that is to become smaller is decoded at a half, a quarter or an eighth."""
MOST_QUICK_PIXELS = 1_000_000
"""Of a picture that is decoded within a few milliseconds."""
MOST_BYTES = 64 << 20
"""Of a picture's file."""
MOST_SCANS = 100
"""Of a JPEG. Progressive ones have some ten; each costs a pass over all of the picture, however few its bytes."""

_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})
"""Orientations that exchange height and width (EXIF 2.32)."""
_GREY = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F"})
_SEE_THROUGH = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


class UnreadablePicture(ValueError):
    """Bytes are no picture that can be read. The message says what they are."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture's head says of it."""

    height: int
    """As it is to be seen: turned by its orientation."""
    width: int
    has_colour: bool
    is_see_through: bool

    @property
    def channels(self) -> int:
        """Those that keep all there is: 1 for grey, 3 for colours, 4 where it can be seen through."""
        return 4 if self.is_see_through else 3 if self.has_colour else 1


def pixels_of(content: bytes) -> int:
    """How many pixels a picture has, by its head alone. Raises UnreadablePicture."""
    with _opened(content) as image:
        return image.width * image.height


def look(content: bytes) -> Look:
    """What a picture is. Takes as long as reading its file, and of a PNG as decoding it. Raises UnreadablePicture."""
    with _opened(content) as image:
        if image.format == "PNG":
            image.verify()  # decoding overlooks checksums
            check_png(content)  # and rows that are not there
    with _opened(content) as image:
        turned = image.getexif().get(_ORIENTATION) in _TURNED
        width, height = reversed(image.size) if turned else image.size
        return Look(height, width, has_colour=image.mode not in _GREY, is_see_through=_is_see_through(image))


class NotQuick(Exception):
    """A picture takes longer than a caller has."""


def decode(content: bytes, encoding: ImageEncoding, *, quick: bool = False) -> NDArray[np.uint8]:
    """The pixels of a picture: uint8 [height, width, channels].

    Raises UnreadablePicture, and NotQuick where it is to be `quick` and there are many pixels.
    """
    with _opened(content) as image:
        if quick and image.width * image.height > MOST_QUICK_PIXELS:
            raise NotQuick
        # A JPEG decodes to a half, a quarter or an eighth at once.
        side = 2 * max(encoding.height, encoding.width)
        image.draft(None, (side, side))  # pyright: ignore[reportArgumentType] (None keeps the mode)
        _check_pixels(image, MOST_PIXELS)
        image.load()
        pixels = _sized(_with_channels(ImageOps.exif_transpose(image), encoding.channels), encoding)
        return np.asarray(pixels, np.uint8).reshape(encoding.shape)


@contextmanager
def _opened(content: bytes) -> Generator[Image.Image]:
    """A picture; whatever goes wrong with it is an UnreadablePicture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of many pixels, which are counted here
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                _check_pixels(image, MOST_JPEG_PIXELS if image.format == "JPEG" else MOST_PIXELS)
                if image.format == "JPEG":
                    _check_scans(content)
                yield image
    except (UnreadablePicture, NotQuick):
        raise
    except Image.DecompressionBombError as error:
        raise UnreadablePicture("a picture of too many pixels") from error
    except Image.UnidentifiedImageError as error:
        raise UnreadablePicture("no picture" if content else "an empty file") from error
    except Incomplete as error:
        raise UnreadablePicture(f"a damaged picture: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # what a damaged file makes Pillow raise is of any kind
        raise UnreadablePicture(f"a damaged picture: {escaped(str(error))[:100]}") from error


def _check_pixels(image: Image.Image, most: int) -> None:
    if image.width * image.height > most:
        raise UnreadablePicture(f"a {image.format} of {image.width:,} x {image.height:,} pixels")


def _check_scans(content: bytes) -> None:
    # In a scan's own data 0xff is followed by 0: what stands for a scan elsewhere is a thumbnail's, or chance.
    scans = content.count(b"\xff\xda")
    if not scans or scans > MOST_SCANS:
        raise UnreadablePicture(f"a JPEG of {scans:,} scans")


def _is_see_through(image: Image.Image) -> bool:
    return image.mode in _SEE_THROUGH or "transparency" in image.info


def _with_channels(image: Image.Image, channels: int) -> Image.Image:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        grey = Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
        if "transparency" in image.info:
            opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
            grey = Image.merge("LA", (grey, Image.fromarray(opaque)))
        image = grey
    if _is_see_through(image):
        image = image.convert("RGBA")
        if channels < 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])


def _sized(image: Image.Image, encoding: ImageEncoding) -> Image.Image:
    size = (encoding.width, encoding.height)
    if image.size == size:
        return image
    how = Image.Resampling.BILINEAR
    if encoding.fit == "stretch":
        return image.resize(size, how)
    if encoding.fit == "cover":
        return ImageOps.fit(image, size, how)
    scale = min(encoding.width / image.width, encoding.height / image.height)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    whole = Image.new(image.mode, size)
    whole.paste(image.resize((width, height), how), ((encoding.width - width) // 2, (encoding.height - height) // 2))
    return whole
