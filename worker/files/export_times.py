"""How long it takes to write what a trained model leaves, told before it is done."""

from collections.abc import Sequence

from jobs.model_files import EVALUATION

# Measured with TensorFlow 2.21 on 2 cores of an EPYC (Zen 4), models of up to 400,000 parameters on MNIST.
USUAL_SECONDS = {EVALUATION: 0.15, "keras": 0.05, "onnx": 0.2, "saved_model": 0.1, "tflite": 0.5, "tflite_int8": 0.3}
OTHERS_SECONDS = 0.05
"""The same for any other file, with the flush to a disk."""

BYTES_PER_SECOND = 100e6
"""By how much the weights make each file longer to write: hashed, copied and flushed."""


class ExportTimes:
    """Remembers, by kind of file, how long the last one took this process beside the length of its weights."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def expected_seconds(self, kinds: Sequence[str], *, weight_bytes: int) -> float:
        """What files of these kinds should take, all together, for weights of so many bytes."""
        each = (self._seconds.get(kind, USUAL_SECONDS.get(kind, OTHERS_SECONDS)) for kind in kinds)
        return sum(each) + len(kinds) * weight_bytes / BYTES_PER_SECOND

    def took(self, kind: str, seconds: float, *, weight_bytes: int) -> None:
        """Learn from a file that was written."""
        self._seconds[kind] = max(0.0, seconds - weight_bytes / BYTES_PER_SECOND)
