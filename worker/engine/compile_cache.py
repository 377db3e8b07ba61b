"""Programs that XLA has compiled, kept from one trainer process to the next.

TensorFlow reads and writes them itself, in a folder that it is told before it is imported. It trusts what it finds: a
torn entry fails the job that wants it, a changed one runs as machine code. So each process gets a folder of its own,
filled with what passes a check of its hash, and what it adds is taken over from there.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

MOST_BYTES = 256 << 20
"""Of all entries together; the oldest make room. One program takes a few hundred kilobytes."""

FLAGS = "TF_XLA_FLAGS"
_PRIVATE = ".process-"
_LOCK = ".lock"


class CompileCache:
    """The kept programs in one directory, shared by any number of processes."""

    def __init__(self, root: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._root = root
        self._kept = root / _machine_key()
        self._most_bytes = most_bytes
        self._private: Path | None = None
        self._lock = -1
        self._published: set[str] = set()

    def open(self) -> None:
        """Have TensorFlow use it; before TensorFlow is imported. A directory that cannot be used is only logged."""
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
            self._sweep()
            self._private = Path(tempfile.mkdtemp(prefix=_PRIVATE, dir=self._root))
            self._lock = os.open(self._private / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._fill(self._private)
        except OSError as error:
            log.warning("compile_cache_unusable", path=str(self._root), error=str(error))
            self.close()
            return
        folder = f"--tf_xla_persistent_cache_directory={self._private}"
        os.environ[FLAGS] = (
            f"{os.environ.get(FLAGS, '')} {folder} --tf_xla_persistent_cache_device_types=CPU,GPU".strip()
        )

    def publish(self) -> None:
        """Keep what this process has compiled since the last time. What cannot be kept is compiled again some day."""
        if self._private is None:
            return
        try:
            new = [path for path in _entries(self._private) if path.name not in self._published]
            for path in new:
                with suppress(FileExistsError):
                    _link(path, self._kept / f"{_sha256(path)}-{path.name}")
                self._published.add(path.name)
            if new:
                self._prune()
        except OSError as error:
            log.warning("compile_cache_not_written", path=str(self._root), error=str(error))

    def close(self) -> None:
        """Give the process's own folder back."""
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _fill(self, private: Path) -> None:
        for path in _entries(self._kept):
            digest, _, name = path.name.partition("-")
            if digest != _sha256(path):
                log.warning("compile_cache_damaged", entry=path.name)
                path.unlink(missing_ok=True)
                continue
            with suppress(FileExistsError):  # two processes compiled it at the same time: either serves
                _link(path, private / name)
            self._published.add(name)

    def _sweep(self) -> None:
        """Remove the folders of processes that were killed: nobody holds their locks."""
        for folder in self._root.glob(f"{_PRIVATE}*"):
            try:
                lock = os.open(folder / _LOCK, os.O_RDWR)
            except OSError:
                continue  # about to begin, or just gone
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            except BlockingIOError:
                pass
            finally:
                os.close(lock)

    def _prune(self) -> None:
        """Remove the oldest entries, of other machines and versions too, until the rest is small enough."""
        found = sorted(
            (
                (path.stat().st_mtime, path.stat().st_size, path)
                for folder in self._folders()
                for path in _entries(folder)
            ),
            reverse=True,
        )
        total = 0
        for _, size, path in found:
            total += size
            if total > self._most_bytes:
                path.unlink(missing_ok=True)

    def _folders(self) -> list[Path]:
        return [folder for folder in self._root.iterdir() if folder.is_dir() and not folder.name.startswith(_PRIVATE)]


def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix == ".pb" and path.is_file()]


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no such thing. Raises FileExistsError."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".copy-")
        os.close(handle)
        shutil.copyfile(source, temporary)
        Path(temporary).replace(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _machine_key() -> str:
    """Names what machine code depends on: TensorFlow's build, the processor with its abilities, the flags given."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = [platform.processor()]
    processor = sorted({line for line in lines if line.startswith(("vendor_id", "model", "flags", "Features", "CPU"))})
    given = [os.environ.get(name, "") for name in (FLAGS, "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")]
    text = "\n".join([platform.machine(), _tensorflow(), *given, *processor])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tensorflow() -> str:
    """Version of the installed TensorFlow, without importing it."""
    for package in ("tensorflow-cpu", "tensorflow"):
        with suppress(PackageNotFoundError):
            return f"{package} {version(package)}"
    return ""
