"""Whether a PNG holds all of its picture (W3C, Portable Network Graphics): decoders show what there is."""

import zlib
from collections.abc import Iterator

_SIGNATURE_BYTES = 8
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a pixel, by its colour type."""
_PALETTE = 3
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Passes of an interlaced picture: the first column and row, and the steps to the next ones."""
_BLOCK = 1 << 16


class Incomplete(ValueError):
    """Something of the picture is missing."""


def check_png(content: bytes) -> None:
    """Raise Incomplete where rows are missing, or the palette. Takes as long as unpacking it; keeps none of it."""
    head, has_palette, parts = b"", False, list[bytes]()
    for kind, data in _chunks(content):
        if kind == b"IHDR":
            head = data
        elif kind == b"PLTE":
            has_palette = True
        elif kind == b"IDAT":
            parts.append(data)
    if len(head) < 13:
        raise Incomplete("it has no head")
    if head[9] == _PALETTE and not has_palette:
        raise Incomplete("its palette is missing")
    wanted = _wanted_bytes(head)
    there = _unpacked_bytes(parts, enough=wanted)
    if there < wanted:
        raise Incomplete(f"it has {there:,} bytes of {wanted:,}")


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _SIGNATURE_BYTES
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += 12 + length


def _wanted_bytes(head: bytes) -> int:
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    bits = head[8] * _SAMPLES.get(head[9], 1)
    passes = _ADAM7 if head[12] else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes)
    # Before each row stands how it is filtered.
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)


def _unpacked_bytes(parts: list[bytes], *, enough: int) -> int:
    """How much there is, as far as that matters: a thousand times as much may be packed behind it."""
    unpacking, size = zlib.decompressobj(), 0
    try:
        for part in parts:
            rest = part
            while rest:
                size += len(unpacking.decompress(rest, _BLOCK))
                if size >= enough:
                    return size
                rest = unpacking.unconsumed_tail
        return size + len(unpacking.flush())
    except zlib.error as error:
        raise Incomplete(str(error)) from error
