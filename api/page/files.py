"""The files of the page at `/`, by names in which the digest of their bytes is: what has such a name never changes."""

import gzip
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from api.cards.page import PLOTLY

INDEX = "index.html"
FRAME = "card-frame.html"
"""Shows a model's card within the page, and has another policy."""
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
# A card is full of what strangers named: it is drawn in an origin of its own, which has no key and reaches nothing.
_FRAME_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data: blob:; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)


class PageFile(NamedTuple):
    """A file as it is sent."""

    media_type: str
    content: bytes
    zipped: bytes
    """The same by gzip."""
    policy: str
    etag: str


@cache
def index() -> PageFile:
    """The page itself, which names the others."""
    text = _read(INDEX).decode()
    for place, name in (("base", f"page/{_digest()}"), ("plotly", f"page/{_plotly_digest()}/{PLOTLY}")):
        text = text.replace("{{" + place + "}}", name)
    return _file(INDEX, text.encode(), _POLICY)


def file(digest: str, name: str) -> PageFile | None:
    """The file of this name, where the digest is that of what it belongs to."""
    wanted = _plotly_digest() if name == PLOTLY else _digest()
    if digest != wanted or name == INDEX or name not in _places():
        return None
    return _kept(name)


@cache
def _kept(name: str) -> PageFile:
    content = _read(name)
    if name == FRAME:
        content = content.replace(b"{{plotly}}", f"../{_plotly_digest()}/{PLOTLY}".encode())
    return _file(name, content, _FRAME_POLICY if name == FRAME else _POLICY)


def _file(name: str, content: bytes, policy: str) -> PageFile:
    zipped = gzip.compress(content, 6, mtime=0)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return PageFile(_TYPES[name.rpartition(".")[2]], content, zipped, policy, etag)


@cache
def _digest() -> str:
    """Of all files but Plotly, as they name each other without one."""
    whole = hashlib.sha256()
    for name in sorted(_places().keys() - {PLOTLY}):
        whole.update(name.encode() + b"\0" + hashlib.sha256(_read(name)).digest())
    return whole.hexdigest()[:16]


@cache
def _plotly_digest() -> str:
    return hashlib.sha256(_read(PLOTLY)).hexdigest()[:16]


def _read(name: str) -> bytes:
    return _places()[name].read_bytes()


@cache
def _places() -> dict[str, Traversable]:
    """Where each file lies."""
    found = dict(_below(files("api.page") / "static"))
    # The card's own script draws it in here as well.
    for name in ("card.js", "card.css"):
        found[name] = files("api.cards") / "static" / name
    return found | {PLOTLY: files("api") / "vendor" / PLOTLY}


def _below(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _below(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            yield prefix + entry.name, entry
