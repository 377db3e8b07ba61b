"""The full MNIST set: found in the data directory or fetched, always checked against the published files."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import structlog

from jobs.errors import DatasetUnavailable
from store import checked_files
from worker.datasets.idx import DIGESTS, FILES, Arrays, Unusable, header, read_npz, split_idx, verified
from worker.datasets.mirrors import SOURCES, Source

log = structlog.get_logger(__name__)

DROPPED = "mnist.npz"
"""File that a user may put into the data directory: Keras' layout, compressed or not."""

CACHE = "mnist.cache"
"""The verified IDX files one after the other, with checksums. Ours: anybody may remove it at any time.

It comes before DROPPED, which is a source like the others: once the set is there, no source is asked."""


def obtain(folder: Path, *, sources: Sequence[Source] = SOURCES, digests: Mapping[str, str] = DIGESTS) -> Arrays:
    """The set, from the first place that has it; the data directory `folder` keeps it decoded.

    Any number of processes may do this at the same time. Raises DatasetUnavailable, telling what was tried,
    or naming a file in the folder that says to be MNIST and is not.
    """
    folder = folder.absolute()
    if (arrays := _kept(folder / CACHE)) is not None:
        return arrays
    tried: list[str] = []
    for source in (Source(str(folder / DROPPED), lambda: _dropped(folder / DROPPED, digests)), *sources):
        log.info("dataset_looked_for", dataset="mnist", source=source.name)
        began = time.monotonic()
        try:
            arrays = verified(source.fetch(), digests)
        except Unusable as error:
            log.info("dataset_not_there", dataset="mnist", source=source.name, reason=str(error))
            tried.append(f"{source.name} ({error})")
            continue
        seconds = round(time.monotonic() - began, 3)
        log.info("dataset_obtained", dataset="mnist", source=source.name, seconds=seconds)
        _keep(arrays, folder / CACHE)
        return arrays
    raise DatasetUnavailable(
        f"the dataset 'mnist' is nowhere to be had: put Keras' mnist.npz at {folder / DROPPED} on this worker and "
        f"submit the job again, or use the dataset 'mnist-10k', which needs no file. Tried: {'; '.join(tried)}"
    )


def _dropped(path: Path, digests: Mapping[str, str]) -> Arrays:
    """The user's file. Raises Unusable where there is none to read, DatasetUnavailable where it is not MNIST:
    who put it there expects it to be used, so nothing else silently takes its place."""
    try:
        return verified(read_npz(path), digests)
    except (FileNotFoundError, NotADirectoryError):
        raise Unusable("not there") from None
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from error
    except Unusable as error:
        raise DatasetUnavailable(
            f"{path} is not MNIST: {error}. Replace it by Keras' mnist.npz (x_train, y_train, x_test, y_test; uint8), "
            "or remove it to have the set fetched"
        ) from error


# --- the cache ------------------------------------------------------------------------------------------


def _kept(path: Path) -> Arrays | None:
    """The set as kept earlier. A damaged file is removed, and the set is had anew."""
    try:
        return _split(checked_files.read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        log.warning("dataset_cache_unreadable", path=str(path), error=str(error))
    except (checked_files.Damaged, Unusable) as error:
        log.warning("dataset_cache_damaged", path=str(path), error=str(error))
        _remove(path)
    return None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("dataset_cache_not_removed", path=str(path), error=str(error))


def _keep(arrays: Arrays, path: Path) -> None:
    """A directory that cannot be written costs the next process a fetch, not this one its data."""
    parts = [part for name in FILES for part in (header(arrays[name]), np.ascontiguousarray(arrays[name]).reshape(-1))]
    try:
        checked_files.write(path, parts)
    except OSError as error:
        log.warning("dataset_not_cached", path=str(path), error=str(error))


def _split(content: np.ndarray) -> Arrays:
    arrays: Arrays = {}
    for name in FILES:
        arrays[name], content = split_idx(content)
    if content.size:
        raise Unusable(f"{content.size} bytes too many")
    return arrays
