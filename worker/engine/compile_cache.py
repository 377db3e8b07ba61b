"""Programs that XLA has compiled, kept from one trainer process to the next.

TensorFlow reads and writes them itself, where its flags tell it before it is first used. It trusts what it finds: a
torn entry fails the job that wants it, as a disk that takes no more does, and a changed one runs as machine code. So it
gets a folder in the process's memory, filled with what passes a check of its hash, and what it adds is taken over from
there.
"""

import hashlib
import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import structlog

from jobs.cuda import DRIVER, listed_devices
from store.files import atomic_write, make_folder
from worker.kernel import lines_of

log = structlog.get_logger(__name__)

FLAGS = "TF_XLA_FLAGS"
_DIRECTORY = "--tf_xla_persistent_cache_directory"
_SUFFIX = ".pb"


class CompileCache:
    """The kept programs in one directory, shared by any number of processes. One takes some hundred kilobytes."""

    def __init__(self, root: Path, *, threads: int | None, most_bytes: int) -> None:
        """`threads` as in the settings: a program is cut for their number. Beyond `most_bytes` the oldest make room."""
        self._root = root
        self._kept = root / _machine_key(threads)
        self._most_bytes = most_bytes
        self._memory = f"ram://{uuid4().hex}"
        self._known: set[str] | None = None
        """Names that need not be kept any more; None while nothing is."""

    def open(self) -> None:
        """Have TensorFlow use it; before TensorFlow compiles anything. What cannot be read is only logged."""
        given = os.environ.get(FLAGS, "").strip()
        if not self._most_bytes or _DIRECTORY in given or (given and not given.startswith("-")):
            return  # nothing is to be kept, or TensorFlow was given a folder already, or a file with flags
        os.environ[FLAGS] = (
            f"{given} {_DIRECTORY}={self._memory} --tf_xla_persistent_cache_device_types=CPU,GPU".strip()
        )
        gfile = _gfile()
        gfile.makedirs(self._memory)
        self._known = set()
        try:
            make_folder(self._kept)
            for path in _files(self._kept):
                if path.suffix == _SUFFIX:
                    self._load(path, gfile)
        except OSError as error:
            log.warning("compile_cache_unreadable", path=str(self._kept), error=str(error))

    def publish(self) -> None:
        """Keep what this process has compiled since the last time. What cannot be kept is compiled again some day."""
        if self._known is None:
            return
        gfile = _gfile()
        for name in sorted(set(gfile.listdir(self._memory)) - self._known):
            with gfile.GFile(f"{self._memory}/{name}", "rb") as file:
                content: bytes = file.read()
            # This process has it compiled: it will not read it again.
            gfile.remove(f"{self._memory}/{name}")
            try:
                atomic_write(self._kept / f"{hashlib.sha256(content).hexdigest()}-{name}", content)
                self._make_room()
            except OSError as error:
                log.warning("compile_cache_not_written", path=str(self._kept), error=str(error))

    def _load(self, path: Path, gfile: ModuleType) -> None:
        """Give TensorFlow an entry, if it is what its name says."""
        assert self._known is not None
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return  # another process has just made room
        digest, _, name = path.name.partition("-")
        if digest != hashlib.sha256(content).hexdigest():
            log.warning("compile_cache_damaged", entry=path.name)
            path.unlink(missing_ok=True)
        elif name not in self._known:  # two may have compiled it at the same time: either serves
            with gfile.GFile(f"{self._memory}/{name}", "wb") as file:
                file.write(content)
            self._known.add(name)

    def _make_room(self) -> None:
        """Remove the oldest files until the rest is small enough: of other machines, of killed writers too."""
        found: list[tuple[float, int, Path]] = []
        for path in (path for folder in self._root.iterdir() if folder.is_dir() for path in _files(folder)):
            with suppress(FileNotFoundError):  # another process makes room too
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = 0
        for _, size, path in sorted(found, reverse=True):
            total += size
            if total > self._most_bytes:
                path.unlink(missing_ok=True)


def _gfile() -> ModuleType:
    """TensorFlow's files. Imports TensorFlow, which is to come after its flags."""
    import tensorflow as tf  # noqa: PLC0415

    return tf.io.gfile


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


def _machine_key(threads: int | None) -> str:
    """Names what machine code depends on: TensorFlow's build, processor, threads, graphics cards, the flags given."""
    lines = lines_of(Path("/proc/cpuinfo")) or [platform.processor()]
    processor = sorted({line for line in lines if line.startswith(("vendor_id", "model", "flags", "Features", "CPU"))})
    given = [os.environ.get(name, "") for name in (FLAGS, "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = "\n".join([platform.machine(), _tensorflow(), f"{threads or cores}", *_cards(), *given, *processor])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tensorflow() -> str:
    """Version of the installed TensorFlow, without importing it."""
    for package in ("tensorflow-cpu", "tensorflow"):
        with suppress(PackageNotFoundError):
            return f"{package} {version(package)}"
    return ""


def _cards() -> list[str]:
    """The models of the graphics cards, and their driver's version."""
    found = [DRIVER.parent / "version", *(DRIVER / address / "information" for address in listed_devices())]
    return [line for file in found for line in lines_of(file) if line.startswith(("Model", "NVRM"))]
