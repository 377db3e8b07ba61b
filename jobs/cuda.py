"""Which NVIDIA devices a process may use: what the driver lists, and what `CUDA_VISIBLE_DEVICES` leaves of it."""

from collections.abc import Mapping
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")


def listed_devices(driver: Path = DRIVER) -> tuple[str, ...]:
    """Bus addresses of the machine's devices in the bus' order; none where the driver does not list them.

    Numbers count in that order, in CUDA too with CUDA_DEVICE_ORDER=PCI_BUS_ID.
    """
    return tuple(sorted(path.name for path in driver.glob("*")))


def visible_devices(environment: Mapping[str, str], *, count: int) -> tuple[str, ...] | None:
    """The devices that `CUDA_VISIBLE_DEVICES` leaves, by the numbers and names it gives; None when it is not set.

    CUDA ends the list at its first invalid entry: an empty one, -1, or a number beyond the machine's `count` devices.
    With a count of 0 nobody knows how many there are, and any number may be one. Names are taken as they are.
    """
    text = environment.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        return None
    visible: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        if name in {"", "-1"} or (count and name.isdecimal() and int(name) >= count):
            break
        visible.append(name)
    return tuple(visible)
