"""A stack of stand-ins in a process of its own, as tests see it: its output, its journal, its processes."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.conftest import wait_until

STAND_IN = Path(__file__).with_name("stand_in.py")


class RunningStack:
    """`stand_in.py stack` on a data directory; killed at the latest by `__exit__`, with all that it started."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, str(STAND_IN), "stack", str(data_dir), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "RunningStack":
        return self

    def __exit__(self, *_: object) -> None:
        pids = self.pids()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for pid in pids:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def output(self) -> str:
        """Everything it wrote so far."""
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        """Its address, once it said that it is up."""
        return self.wait_for(r"up at (http://\S+)")[1]

    def wait_for(self, pattern: str, *, times: int = 1) -> re.Match[str]:
        """The match once the output holds the pattern so many times."""
        found: list[re.Match[str]] = []

        def holds() -> bool:
            found[:] = re.finditer(pattern, self.output)
            return len(found) >= times

        wait_until(holds, what=f"{pattern!r} {times} times in:\n{self.output}")
        return found[-1]

    def journal(self) -> list[str]:
        """What the stand-ins noted, in order."""
        file = self.data_dir / "journal"
        return file.read_text().splitlines() if file.exists() else []

    def pids(self) -> list[int]:
        """Every process that it started: the stand-ins, their children, and the store."""
        noted = [int(line.split()[2]) for line in self.journal() if line.startswith("starts")]
        return [*noted, *self.store_pids()]

    def store_pids(self) -> list[int]:
        """The stores that became ready, oldest first."""
        return [int(pid) for pid in re.findall(r"valkey is ready .* \(pid (\d+)\)", self.output)]

    def pid_of(self, name: str) -> int:
        """The process of the stand-in whose name begins so, the newest."""
        return [int(line.split()[2]) for line in self.journal() if line.startswith(f"starts {name}")][-1]

    def exit_code(self) -> int:
        """Its exit code, once it ended; all its output has been read then."""
        code = self.process.wait(30)
        self._reader.join(10)
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))


def is_running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
