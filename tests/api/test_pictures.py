"""A picture becomes the same pixels whatever it came as, and what is none is told."""

import io
import struct
import zlib
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from api import png
from api.pictures import NotQuick, UnreadablePicture, decode, look
from jobs.inputs import Fit, ImageEncoding

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
FORMATS = ["PNG", "JPEG", "WEBP", "BMP", "GIF"]
WHITE, BLACK, RED = [255, 255, 255], [0, 0, 0], [255, 0, 0]


def encoding(height: int, width: int, channels: Literal[1, 3, 4], fit: Fit = "contain") -> ImageEncoding:
    return ImageEncoding(height=height, width=width, channels=channels, fit=fit)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def striped() -> Image.Image:
    """2 x 8: a quarter red, half green, a quarter blue."""
    row = [RED] * 2 + [[0, 255, 0]] * 4 + [[0, 0, 255]] * 2
    return Image.fromarray(np.array([row, row], np.uint8))


def palette_picture(**options: Any) -> bytes:
    """2 x 2: red, green, green, red, by a palette."""
    image = Image.new("P", (2, 2))
    image.putpalette([*RED, 0, 255, 0])
    image.putdata([0, 1, 1, 0])
    return saved(image, **options)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_head(height: int, width: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_channels_are_those_that_keep_all_there_is(mode: str) -> None:
    seen = look(saved(Image.new(mode, (5, 3))))
    assert (seen.height, seen.width) == (3, 5)
    assert seen.channels == {"1": 1, "L": 1, "LA": 4, "RGB": 3, "RGBA": 4, "P": 3}[mode]


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    content = saved(Image.new("RGB", (6, 4), (200, 100, 50)), kind)
    assert (look(content).height, look(content).width, look(content).channels) == (4, 6, 3)
    pixels = decode(content, encoding(4, 6, 3))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (4, 6, 3))
    np.testing.assert_allclose(pixels, np.broadcast_to([200, 100, 50], (4, 6, 3)), atol=4)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lossless_pixels_are_kept_as_they_are(channels: Literal[1, 3, 4]) -> None:
    pixels = noise(5, 7, channels)
    content = saved(Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels))
    assert look(content).channels == channels
    assert (decode(content, encoding(5, 7, channels)) == pixels).all()


def test_bits_become_black_and_white() -> None:
    bits = np.array([[True, False], [False, True]])
    pixels = decode(saved(Image.fromarray(bits)), encoding(2, 2, 1))
    assert pixels[..., 0].tolist() == [[255, 0], [0, 255]]


def test_sixteen_bits_become_the_upper_eight() -> None:
    values = np.array([[0, 255, 256], [0x1234, 0x8000, 0xFFFF]], np.uint16)
    content = saved(Image.fromarray(values))
    assert look(content).channels == 1
    assert (decode(content, encoding(2, 3, 1))[..., 0] == values >> 8).all()
    assert (decode(content, encoding(2, 3, 3)) == (values >> 8)[..., None]).all()


def test_sixteen_bits_keep_the_grey_that_can_be_seen_through() -> None:
    values = np.array([[0x1000, 0x2000], [0x3000, 0x1000]], np.uint16)
    content = saved(Image.fromarray(values), transparency=0x1000)
    assert look(content).channels == 4
    assert decode(content, encoding(2, 2, 4))[..., 3].tolist() == [[0, 255], [255, 0]]
    assert decode(content, encoding(2, 2, 1))[..., 0].tolist() == [[255, 0x20], [0x30, 255]]


def test_colours_become_their_luma() -> None:
    pixels = noise(6, 6)
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(decode(saved(Image.fromarray(pixels)), encoding(6, 6, 1))[..., 0], luma, atol=1)


def test_a_palette_becomes_its_colours() -> None:
    content = palette_picture()
    assert look(content).channels == 3
    assert decode(content, encoding(2, 2, 3)).tolist() == [[RED, [0, 255, 0]], [[0, 255, 0], RED]]


def test_a_palette_can_be_seen_through() -> None:
    content = palette_picture(transparency=1)
    assert look(content).channels == 4
    assert decode(content, encoding(2, 2, 4))[..., 3].tolist() == [[255, 0], [0, 255]]
    assert decode(content, encoding(2, 2, 3)).tolist() == [[RED, WHITE], [WHITE, RED]]


@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_one_colour_can_be_seen_through(mode: str) -> None:
    image = Image.new("RGB", (2, 1), "black").convert(mode)
    image.putpixel((1, 0), (9, 9, 9) if mode == "RGB" else 1)
    content = saved(image, transparency=(9, 9, 9) if mode == "RGB" else 1)
    assert look(content).channels == 4
    assert decode(content, encoding(1, 2, 4))[0, :, 3].tolist() == [255, 0]
    assert decode(content, encoding(1, 2, 3))[0].tolist() == [BLACK, WHITE]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_can_be_seen_through_is_laid_on_white(mode: str) -> None:
    image = Image.new("RGBA", (3, 1))
    image.putdata([(0, 0, 0, 255), (0, 0, 0, 0), (0, 0, 0, 51)])
    content = saved(image.convert(mode))
    assert decode(content, encoding(1, 3, 4))[0, :, 3].tolist() == [255, 0, 51]
    for channels in (1, 3):
        assert decode(content, encoding(1, 3, channels))[0, :, 0].tolist() == [0, 255, 204]


def test_what_cannot_be_seen_through_is_opaque() -> None:
    assert (decode(saved(Image.new("L", (2, 2))), encoding(2, 2, 4))[..., 3] == 255).all()


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    image = Image.new("CMYK", (16, 16), (0, 200, 100, 20))
    content = saved(image, "JPEG", quality=95)
    assert look(content).channels == 3
    np.testing.assert_allclose(decode(content, encoding(16, 16, 3)), np.asarray(image.convert("RGB")), atol=4)


def test_a_progressive_jpeg_is_the_same_picture() -> None:
    image = Image.linear_gradient("L").convert("RGB")
    plain, progressive = (saved(image, "JPEG", progressive=progressive) for progressive in (False, True))
    assert plain != progressive
    assert (decode(plain, encoding(256, 256, 3)) == decode(progressive, encoding(256, 256, 3))).all()


def test_the_first_frame_of_a_gif_is_taken() -> None:
    later = [Image.new("RGB", (4, 4), colour) for colour in ("blue", "lime")]
    content = saved(Image.new("RGB", (4, 4), "red"), "GIF", save_all=True, append_images=later)
    assert (decode(content, encoding(4, 4, 3)) == RED).all()


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_turned_as_its_orientation_says(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}[kind]
    pixels = np.kron(noise(2, 3), np.ones((8, 8, 1), np.uint8))
    content = saved(Image.fromarray(pixels), kind, exif=exif, **options)
    expected = TURNS[orientation](pixels)
    seen = look(content)
    assert (seen.height, seen.width) == ((24, 16) if orientation > 4 else (16, 24)) == expected.shape[:2]
    found = decode(content, encoding(seen.height, seen.width, 3))
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=8 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 300])
def test_an_orientation_that_is_none_is_overlooked(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(noise(2, 3)), exif=exif)
    assert (look(content).height, look(content).width) == (2, 3)
    assert (decode(content, encoding(2, 3, 3)) == noise(2, 3)).all()


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12"])
def test_damaged_metadata_does_no_harm(exif: bytes) -> None:
    content = saved(Image.new("RGB", (8, 8), "red"), "JPEG", exif=exif)
    assert look(content).channels == 3
    np.testing.assert_allclose(decode(content, encoding(8, 8, 3)), np.broadcast_to(RED, (8, 8, 3)), atol=3)


@pytest.mark.parametrize(("height", "width"), [(8000, 8000), (1, 50_000_001), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_by_the_head(height: int, width: int) -> None:
    for read in (look, lambda content: decode(content, encoding(1, 1, 3))):
        with pytest.raises(UnreadablePicture, match=f"{width:,} x {height:,} pixels|too many pixels"):
            read(png_head(height, width))


def test_too_many_pixels_are_refused_of_a_gif() -> None:
    content = bytearray(saved(Image.new("P", (2, 2)), "GIF"))
    content[6:10] = b"\xff" * 4
    with pytest.raises(UnreadablePicture, match="pixels"):
        look(bytes(content))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_picture_is_refused(kind: str, share: float) -> None:
    content = saved(Image.fromarray(noise(40, 40)), kind)
    with pytest.raises(UnreadablePicture):
        decode(content[: int(len(content) * share)], encoding(40, 40, 3))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "an empty file"),
        (b"name,age\nAnna,3\n", "no picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged|no picture"),
        (b"\xff\xd8\xff\xe0", "damaged|no picture"),
        (b"GIF89a", "damaged|no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
    ],
)
def test_what_is_no_picture_is_told(content: bytes, told: str) -> None:
    for read in (look, lambda content: decode(content, encoding(1, 1, 3))):
        with pytest.raises(UnreadablePicture, match=told):
            read(content)


def test_other_formats_are_not_opened() -> None:
    with pytest.raises(UnreadablePicture, match="no picture"):
        look(saved(Image.new("RGB", (2, 2)), "TIFF"))


@pytest.mark.parametrize("kind", FORMATS)
def test_damage_of_any_kind_is_an_unreadable_picture(kind: str) -> None:
    rng = np.random.default_rng(0)
    content = np.frombuffer(saved(Image.fromarray(noise(12, 12)), kind), np.uint8)
    for _ in range(100):
        damaged = content.copy()
        damaged[rng.integers(0, len(damaged), 4)] = rng.integers(0, 256, 4)
        for read in (look, lambda content: decode(content, encoding(4, 4, 3))):
            try:
                read(damaged.tobytes())
            except UnreadablePicture as error:
                assert str(error).isprintable()  # noqa: PT017 (it may also be read)


def test_contain_shows_the_whole_with_black_beside_it() -> None:
    pixels = decode(saved(striped()), encoding(8, 8, 3, "contain"))
    assert (pixels[3:5] == np.asarray(striped())).all()
    assert not pixels[:3].any()
    assert not pixels[5:].any()


def test_contain_leaves_what_is_beside_it_to_be_seen_through() -> None:
    pixels = decode(saved(striped().convert("RGBA")), encoding(8, 8, 4, "contain"))
    assert not pixels[:3].any()
    assert (pixels[3:5, :, 3] == 255).all()


def test_cover_cuts_around_the_middle() -> None:
    assert (decode(saved(striped()), encoding(2, 2, 3, "cover")) == [0, 255, 0]).all()


def test_stretch_keeps_all_of_it_out_of_proportion() -> None:
    pixels = decode(saved(striped()), encoding(8, 8, 3, "stretch"))
    assert (pixels == np.asarray(striped())[:1]).all()


@pytest.mark.parametrize("fit", ["contain", "cover", "stretch"])
@pytest.mark.parametrize("size", [(1000, 1), (1, 1000), (1, 1)])
def test_any_size_becomes_any_other(fit: Fit, size: tuple[int, int]) -> None:
    content = saved(Image.new("RGB", size, "white"))
    assert decode(content, encoding(7, 5, 1, fit)).max() == 255


def test_turning_comes_before_sizing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert (decode(saved(striped(), exif=exif), encoding(8, 2, 3)) == np.rot90(np.asarray(striped()), -1)).all()


def test_who_has_no_time_is_told_of_many_pixels() -> None:
    many, few = (saved(Image.new("L", (width, 1000))) for width in (1001, 1000))
    assert decode(few, encoding(2, 2, 1), quick=True).shape == (2, 2, 1)
    with pytest.raises(NotQuick):
        decode(many, encoding(2, 2, 1), quick=True)
    assert decode(many, encoding(2, 2, 1)).shape == (2, 2, 1)


# --- what is not all there ------------------------------------------------------------------------


def png_of(rows: int, *, height: int = 8, colour: int = 2, palette: bool = True, interlaced: bool = False) -> bytes:
    """8 pixels wide, of which so many rows are there."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, height, 8, colour, 0, 0, int(interlaced)))
    row = b"\0" + bytes(8 * {0: 1, 2: 3, 3: 1}[colour])
    colours = chunk(b"PLTE", bytes(3)) if colour == 3 and palette else b""
    content = chunk(b"IDAT", zlib.compress(row * rows))
    return b"\x89PNG\r\n\x1a\n" + head + colours + content + chunk(b"IEND", b"")


def test_rows_that_are_not_there_are_missed() -> None:
    for colour in (0, 2, 3):
        look(png_of(8, colour=colour))
        with pytest.raises(UnreadablePicture, match="bytes of"):
            look(png_of(7, colour=colour))
    with pytest.raises(UnreadablePicture, match="palette is missing"):
        look(png_of(8, colour=3, palette=False))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (17, 2), (33, 31)])
def test_whole_pngs_are_whole(mode: str, size: tuple[int, int]) -> None:
    look(saved(Image.new(mode, size)))
    for bits in (1, 2, 4):
        if mode == "P":
            look(saved(Image.new(mode, size), bits=bits))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (5, 3), (8, 8), (17, 2)])
def test_interlaced_pictures_are_counted_by_their_passes(size: tuple[int, int]) -> None:
    width, height = size
    passes = [np.zeros((height, width), np.uint8)[y::dy, x::dx] for x, y, dx, dy in ADAM7]
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1))
    for content, is_whole in ((rows, True), (rows[:-1], False)):
        picture = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")
        if is_whole:
            look(picture)
        else:
            with pytest.raises(UnreadablePicture, match="bytes of"):
                look(picture)


def test_a_jpeg_of_no_scan_or_of_very_many_is_refused() -> None:
    """Each of these passes over all of the picture, and takes eleven bytes."""
    jpeg = saved(Image.fromarray(noise(64, 64)), "JPEG", progressive=True)
    look(jpeg)
    scan = bytes.fromhex("ffda0008010100013f0000")
    with pytest.raises(UnreadablePicture, match=r"5,0.. scans"):
        look(jpeg[:-2] + scan * 5000 + jpeg[-2:])
    with pytest.raises(UnreadablePicture, match=r"5,0.. scans"):
        decode(jpeg[:-2] + scan * 5000 + jpeg[-2:], encoding(8, 8, 3))
    with pytest.raises(UnreadablePicture):
        look(jpeg[: jpeg.index(b"\xff\xda")] + b"\xff\xd9")


def test_what_is_packed_behind_a_picture_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_BLOCK", 1000)
    parts = [zlib.compress(bytes(50_000_000))]
    assert 500 <= png._unpacked_bytes(parts, enough=500) <= 1000
