"""What this machine has to share out among a stack's processes: ports, cores, GPUs."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping

from gradientd.local.errors import CannotStart
from jobs.cuda import listed_devices, visible_devices

ASK_DRIVER_SECONDS = 20.0


def claim_port(host: str, port: int) -> int:
    """The port if it can be listened on at `host`; for 0 a free one.

    Raises:
        CannotStart: it cannot, and why.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the API does: TIME_WAIT is no obstacle
            probe.bind(address)
            probe.listen()
            return int(probe.getsockname()[1])
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {host}, port {port}: {error.strerror}; name another with --port (0 takes a free one)"
        ) from error


def base_url(host: str, port: int) -> str:
    """URL by which this machine reaches an API that listens on `host`."""
    reached = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The visible NVIDIA GPUs, by the names that CUDA_VISIBLE_DEVICES takes."""
    chosen = visible_devices(environment, count=len(listed_devices()))
    if chosen is not None:
        return chosen
    query = shutil.which("nvidia-smi")
    if query is None:
        return ()
    try:
        answer = subprocess.run(  # noqa: S603 - found on the PATH, fixed arguments
            [query, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=ASK_DRIVER_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(answer.stdout.split())
