"""The machine's devices: set up before the first operation, described, chosen for a job."""

import os
import platform
from functools import cache
from itertools import zip_longest
from pathlib import Path

import tensorflow as tf

from jobs.errors import DeviceUnavailable
from jobs.record import Device
from jobs.settings import Settings
from worker.gpus import memory_of_cards
from worker.kernel import lines_of


def configure(settings: Settings) -> int:
    """Set threads and GPU memory; must come before TensorFlow's first operation. Returns the threads.

    Raises DeviceUnavailable when the settings demand a GPU and there is none.
    """
    # A program for each shape of job is the plan here, not the mistake that TensorFlow warns of.
    tf.get_logger().setLevel("ERROR")
    threads = settings.threads or _cores()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if settings.device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        gpus = []
    if settings.device == "gpu" and not gpus:
        raise DeviceUnavailable("GRADIENTD_DEVICE is 'gpu' but TensorFlow sees none here")
    for gpu in gpus:
        if settings.gpu_memory_limit_mb:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=settings.gpu_memory_limit_mb)
            tf.config.set_logical_device_configuration(gpu, [limit])
        else:
            tf.config.experimental.set_memory_growth(gpu, enable=True)
    if gpus:
        # Some of cuDNN's fast kernels add in an order of their own; a resumed job must end in the same bits.
        tf.config.experimental.enable_op_determinism()
    return threads


def warm_up() -> None:
    """Start TensorFlow's runtime and XLA's compiler, so that the process's first job does not wait for them."""
    tf.function(lambda x: x + 1, jit_compile=True, autograph=False)(tf.constant(0.0))


def threads() -> int:
    """CPU threads within one operation."""
    return tf.config.threading.get_intra_op_parallelism_threads() or _cores()


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _static() -> tuple[Device, ...]:
    found = [Device(name="/device:CPU:0", kind="cpu", model=_cpu_model())]
    gpus = tf.config.get_visible_devices("GPU")
    totals = memory_of_cards() if gpus else ()
    for index, (gpu, total) in enumerate(zip_longest(gpus, totals[: len(gpus)])):
        limits = tf.config.get_logical_device_configuration(gpu)
        limit = int(limits[0].memory_limit) if limits and limits[0].memory_limit else None
        details = tf.config.experimental.get_device_details(gpu)
        found.append(
            Device(
                name=f"/device:GPU:{index}",
                kind="gpu",
                model=details.get("device_name", "GPU"),
                memory_growth=None if limit else tf.config.experimental.get_memory_growth(gpu),
                memory_limit_mb=limit,
                memory_bytes_total=limit << 20 if limit else total,
            )
        )
    return tuple(found)


def describe() -> tuple[Device, ...]:
    """The devices as they are now, with a GPU's memory in use."""
    return tuple(device.model_copy(update=_memory(device)) if device.kind == "gpu" else device for device in _static())


def memory_of(name: str) -> tuple[int | None, int | None]:
    """Bytes in use and the peak so far on a GPU; (None, None) on a CPU."""
    if "GPU" not in name:
        return None, None
    info = tf.config.experimental.get_memory_info(name.removeprefix("/device:"))
    return info["current"], info["peak"]


def held_bytes() -> int:
    """The most memory of a GPU that this process has had in use: TensorFlow keeps that until the process ends."""
    peaks = [device.memory_peak_bytes or 0 for device in describe() if device.kind == "gpu"]
    return max(peaks, default=0)


def _memory(device: Device) -> dict[str, int | None]:
    current, peak = memory_of(device.name)
    return {"memory_bytes": current, "memory_peak_bytes": peak}


def choose(wanted: str) -> Device:
    """The device for a spec's `auto`, `cpu`, `gpu` or `gpu:N`. Raises DeviceUnavailable."""
    cpu, *gpus = _static()
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return cpu
    number = int(wanted.removeprefix("gpu:")) if ":" in wanted else 0
    if number >= len(gpus):
        names = ", ".join(device.name for device in _static())
        raise DeviceUnavailable(f"this worker has no device {wanted!r}; it has {names}")
    return gpus[number]


def _cpu_model() -> str:
    """The processor's name, of which bits may depend. Virtual machines hide the number in it; its family then tells."""
    facts: dict[str, str] = {}
    for line in lines_of(Path("/proc/cpuinfo")):
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name") or platform.processor() or platform.machine()
    if any(letter.isdigit() for letter in name) or "cpu family" not in facts:
        return name
    return f"{name} (family {facts['cpu family']}, model {facts.get('model', '?')})"
