"""What a trained model leaves as: its weights, and the formats that other programs read."""

import io
import logging
import tarfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from jobs.datasets import DatasetInfo
from jobs.model_files import FILES
from jobs.spec import ExportFormat
from worker.files.keras_model import narrowed

CHUNK_BYTES = 1 << 20


def weights_npz(weights: Mapping[str, np.ndarray]) -> bytes:
    """The named arrays as an uncompressed `.npz` without pickle.

    Deterministic: NumPy writes a fixed date, and the order is the mapping's.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **weights)
    return buffer.getvalue()


def write_export(model: keras.Model, dataset: DatasetInfo, wanted: ExportFormat, folder: Path) -> Path:
    """Write a model of a dataset in a format into a folder; the file. Traced for a CPU, whatever trained it."""
    path = folder / FILES[wanted]
    with tf.device("/CPU:0"):
        # The runtime of TensorFlow Lite computes nothing in float64.
        _WRITERS[wanted](narrowed(model, dataset.targets) if wanted == "tflite" else model, path)
    return path


def chunks_of_file(path: Path) -> Iterator[bytes]:
    """The bytes of a file, part by part."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _keras(model: keras.Model, path: Path) -> None:
    model.save(path)


def _onnx(model: keras.Model, path: Path) -> None:
    logging.getLogger("tf2onnx").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras looks for an old name of NumPy's
        model.export(path, format="onnx", verbose=False, input_signature=_signature(model))


def _tflite(model: keras.Model, path: Path) -> None:
    model.export(path, format="litert", verbose=False, input_signature=_signature(model))


def _saved_model(model: keras.Model, path: Path) -> None:
    folder = path.with_name("saved_model")
    model.export(folder, format="tf_saved_model", verbose=False, input_signature=_signature(model))
    with tarfile.open(path, "w") as archive:
        archive.add(folder, folder.name)


def _signature(model: keras.Model) -> list[keras.InputSpec]:
    (inputs,) = model.inputs
    return [keras.InputSpec(shape=inputs.shape, dtype=inputs.dtype, name=inputs.name)]


_WRITERS: dict[ExportFormat, Callable[[keras.Model, Path], None]] = {
    "keras": _keras,
    "onnx": _onnx,
    "tflite": _tflite,
    "saved_model": _saved_model,
}
