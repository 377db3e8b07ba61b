"""How long it takes to write what a trained model leaves, told before it is done."""

from collections.abc import Sequence

from jobs.model_files import EVALUATION

# Measured with TensorFlow 2.21 on 2 cores of an EPYC (Zen 4), models of up to 400,000 parameters on MNIST.
USUAL_SECONDS = {"keras": 0.05, "onnx": 0.2, "saved_model": 0.1, "tflite": 0.5, "tflite_int8": 0.3}
OTHERS_SECONDS = 0.05
"""The same for any other file, with the flush to a disk."""
EVALUATION_SECONDS = 0.15
"""What `evaluation.json` takes beside a pass over the test examples, which depends on the job, not on the process."""
MOST_SLOWER = 4.0
"""What an export counts at most, in times of what was expected: a disk may have refused it for a while."""

BYTES_PER_SECOND = 100e6
"""By how much the weights make each file longer to write: hashed, copied and flushed."""


class ExportTimes:
    """Remembers, by kind of file, how long the last one took this process beside the length of its weights."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def expected_seconds(self, kinds: Sequence[str], *, weight_bytes: int) -> float:
        """What files of these kinds should take, all together, for weights of so many bytes."""
        return sum(map(self._expected, kinds)) + len(kinds) * weight_bytes / BYTES_PER_SECOND

    def took(self, kind: str, seconds: float, *, weight_bytes: int) -> None:
        """Learn from a file that was written."""
        if kind != EVALUATION:
            own = max(0.0, seconds - weight_bytes / BYTES_PER_SECOND)
            self._seconds[kind] = min(own, MOST_SLOWER * max(OTHERS_SECONDS, self._expected(kind)))

    def _expected(self, kind: str) -> float:
        if kind == EVALUATION:
            return EVALUATION_SECONDS
        return self._seconds.get(kind, USUAL_SECONDS.get(kind, OTHERS_SECONDS))
