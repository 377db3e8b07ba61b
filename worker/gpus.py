"""The machine's GPUs, as far as can be known without TensorFlow: whether there are any, and which this process has.

Each trainer holds a lock on its cards, so that one that is frozen or stuck never shares them with its successor.
"""

import ctypes
import fcntl
import os
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from jobs.cuda import DRIVER, listed_devices, visible_devices
from worker.kernel import lines_of

RETRY_SECONDS = 0.2


def gpu_may_be_there() -> bool:
    """Whether an NVIDIA driver shows a card that `CUDA_VISIBLE_DEVICES` does not hide."""
    if visible_devices(os.environ, count=len(listed_devices())) == ():
        return False
    return any(Path("/dev").glob("nvidia[0-9]*"))


def cards(driver: Path = DRIVER) -> tuple[str, ...]:
    """Bus addresses of the visible cards; a number or name stands for a card that the driver does not list."""
    addresses = listed_devices(driver)
    visible = visible_devices(os.environ, count=len(addresses))
    if visible is None:
        return addresses or ("0",)
    uuids = {_uuid(driver / address): address for address in addresses}
    found: list[str] = []
    for name in visible:
        if name.isdecimal() and addresses:
            found.append(addresses[int(name)])
        else:
            found.append(next((uuids[uuid] for uuid in uuids if uuid and uuid.startswith(name)), name))
    return tuple(found)


def _uuid(card: Path) -> str:
    lines = lines_of(card / "information")
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("GPU UUID")), "")


def memory_of_cards() -> tuple[int, ...]:
    """Bytes of memory of each visible card, as CUDA counts them; none where there is no driver to ask.

    Makes no context, which would itself take some of it.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ()
    count = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return ()
    found: list[int] = []
    for number in range(count.value):
        device, size = ctypes.c_int(), ctypes.c_size_t()
        if cuda.cuDeviceGet(ctypes.byref(device), number) or cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device):
            return ()
        found.append(size.value)
    return tuple(found)


class CardLocks:
    """A lock for each card, held until released or the process ends. Without cards there is nothing to wait for."""

    def __init__(self, names: Sequence[str], *, folder: Path | None = None) -> None:
        self._folder = folder
        # Always in the same order, so that two that want the same cards cannot wait for each other.
        self._names = sorted(name.replace("/", "_").replace(":", "_") for name in names)
        self._held: dict[str, int] = {}

    def acquire(self, *, seconds: float, stop: threading.Event) -> bool:
        """Take all that are not held yet, waiting for so long or until `stop`; tells whether all are held."""
        waited = 0.0
        while not all(self._take(name) for name in self._names):
            if waited >= seconds or stop.wait(RETRY_SECONDS):
                return False
            waited += RETRY_SECONDS
        return True

    def release(self) -> None:
        """Let another process have the cards."""
        for name in list(self._held):
            os.close(self._held.pop(name))

    def _take(self, name: str) -> bool:
        if name in self._held:
            return True
        # Asked for only now: a read-only container without GPUs has no folder for temporary files.
        folder = self._folder or Path(tempfile.gettempdir()) / "gradientd-locks"
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / f"gpu-{name}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._held[name] = handle
        return True
