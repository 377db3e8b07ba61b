"""Devices of a machine without a GPU, and of one made up."""

import pytest

from jobs.errors import DeviceUnavailable
from jobs.record import Device
from worker.engine import devices

CPU = Device(name="/device:CPU:0", kind="cpu", model="a CPU")
GPUS = tuple(Device(name=f"/device:GPU:{n}", kind="gpu", model="a GPU", memory_growth=True) for n in (0, 1))


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_static", lambda: (CPU, *GPUS))


def test_this_machine_has_a_cpu_with_a_name() -> None:
    cpu = devices.describe()[0]
    assert (cpu.name, cpu.kind) == ("/device:CPU:0", "cpu")
    assert cpu.model
    assert devices.memory_of(cpu.name) == (None, None)
    assert devices.threads() == 2


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("wanted", "device"), [("auto", GPUS[0]), ("cpu", CPU), ("gpu", GPUS[0]), ("gpu:0", GPUS[0]), ("gpu:1", GPUS[1])]
)
def test_a_choice_names_a_device(wanted: str, device: Device) -> None:
    assert devices.choose(wanted) == device


def test_without_a_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_static", lambda: (CPU,))
    assert devices.choose("auto") == CPU


@pytest.mark.usefixtures("two_gpus")
def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(DeviceUnavailable, match=r"'gpu:7'.*CPU:0, /device:GPU:0, /device:GPU:1"):
        devices.choose("gpu:7")


@pytest.mark.usefixtures("two_gpus")
def test_what_is_held_of_a_gpu_is_the_most_that_was_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "memory_of", lambda name: (1, 7 if name.endswith("0") else 5))
    assert devices.held_bytes() == 7


def test_without_a_gpu_none_is_held() -> None:
    assert devices.held_bytes() == 0
