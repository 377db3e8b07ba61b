"""Whether this process may see a GPU, found out without TensorFlow."""

import os
from pathlib import Path


def gpu_may_be_there() -> bool:
    """Whether an NVIDIA driver shows a card that `CUDA_VISIBLE_DEVICES` does not hide."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.split(",")[0].strip() in {"", "-1"}:
        return False
    return any(Path("/dev").glob("nvidia[0-9]*"))
