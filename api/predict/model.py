"""A model in memory: its graph in ONNX Runtime, and what its inputs and outputs mean."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from jobs.encoding import ArrayEncoder, RowEncoder
from jobs.model_encoding import ModelEncoding

SESSION_BYTES = 256 << 10
"""What a session takes beside its weights, roughly."""
BYTES_PER_GRAPH_BYTE = 2.5
"""What a graph takes in memory: its weights once, and what the allocator cannot give back after loading it (measured
with 200 models that come and go).
"""

ort: Any = onnxruntime  # which has no types
ort.set_default_logger_severity(4)  # nothing of it belongs on standard error


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model. Any thread may use it."""

    session: Any
    """An `onnxruntime.InferenceSession`."""
    input_name: str
    encoding: ModelEncoding
    encoder: RowEncoder | None
    """What makes inputs of a table's rows."""
    array_encoder: ArrayEncoder | None
    """What makes inputs of arrays that do not go in as they are."""
    size_bytes: int
    """What it takes in memory, by the size of its file."""

    def outputs(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """float32 [N, classes], or float64 [N, targets], for inputs [N, …] of the encoding's shape and type."""
        return self.session.run(None, {self.input_name: inputs})[0]


def load_model(graph: Path, encoding: bytes) -> Model:
    """The model of a job's files `model.onnx` and `encoding.json`. Takes a while. Raises ValueError and OSError."""
    meaning = ModelEncoding.model_validate_json(encoding)
    options = ort.SessionOptions()
    # One thread: several requests use several. Spinning would take a core from whoever trains beside.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # it would keep what the largest batch took, for each model
    try:
        size_bytes = graph.stat().st_size
        # Of bytes it would keep a copy.
        session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"the graph cannot be read: {error}") from error
    return Model(
        session,
        session.get_inputs()[0].name,
        meaning,
        RowEncoder(meaning.rows) if meaning.rows else None,
        ArrayEncoder(meaning.arrays, meaning.shape) if meaning.arrays else None,
        size_bytes=int(BYTES_PER_GRAPH_BYTE * size_bytes) + len(encoding) + SESSION_BYTES,
    )
