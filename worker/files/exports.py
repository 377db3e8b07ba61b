"""What a trained model leaves as: its weights, and the formats that other programs read."""

import io
import logging
import tarfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from jobs.model_files import FILES
from jobs.spec import ExportFormat
from worker.datasets.memory import Dataset
from worker.files.keras_model import narrowed

CHUNK_BYTES = 1 << 20
CALIBRATING = 300
"""Training images that a network in whole numbers is fitted to."""


def weights_npz(weights: Mapping[str, np.ndarray]) -> bytes:
    """The named arrays as an uncompressed `.npz` without pickle.

    Deterministic: NumPy writes a fixed date, and the order is the mapping's.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **weights)
    return buffer.getvalue()


def write_export(model: keras.Model, dataset: Dataset, wanted: ExportFormat, folder: Path) -> Path:
    """Write a model of a dataset in a format into a folder; the file. Traced for a CPU, whatever trained it."""
    path = folder / FILES[wanted]
    with tf.device("/CPU:0"):
        if wanted == "tflite_int8":
            _tflite_int8(model, path, dataset.train_x[:CALIBRATING].reshape(-1, *dataset.info.shape))
        else:
            # The runtime of TensorFlow Lite computes nothing in float64.
            _WRITERS[wanted](narrowed(model, dataset.info.targets) if wanted == "tflite" else model, path)
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


def _tflite_int8(model: keras.Model, path: Path, images: np.ndarray) -> None:
    """All in whole numbers: takes pixels as they are, uint8, and gives probabilities in 256ths, or in 255ths where they
    are no softmax, whose range the converter knows.

    The ranges of what is in between are those of these images [N, height, width, channels].
    """
    (given,) = model.inputs
    inputs = keras.Input(given.shape[1:], dtype="float32", name="features")
    same: Any = keras.models.clone_model(model, input_tensors=inputs)
    same.set_weights(model.get_weights())
    if not isinstance(model.layers[-1], keras.layers.Softmax):
        same = keras.Model(inputs, _Probabilities()(same.output))
    converter = tf.lite.TFLiteConverter.from_keras_model(same)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    calibrating = images.astype(np.float32)
    calibrating[0].flat[[0, -1]] = 0, 255  # so that a pixel is its own number, whichever these images have
    converter.representative_dataset = lambda: ([image[None]] for image in calibrating)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    path.write_bytes(converter.convert())


class _Probabilities(keras.layers.Layer):
    """What it is given, marked as being from 0 to 1: the calibrating images may not lead so far."""

    def call(self, given: Any) -> Any:
        """The same, in 255ths."""
        return tf.quantization.fake_quant_with_min_max_args(given, 0.0, 1.0)


def _saved_model(model: keras.Model, path: Path) -> None:
    folder = path.with_name("saved_model")
    model.export(folder, format="tf_saved_model", verbose=False, input_signature=_signature(model))
    with tarfile.open(path, "w") as archive:
        archive.add(folder, folder.name)


def _signature(model: keras.Model) -> list[keras.InputSpec]:
    (inputs,) = model.inputs
    return [keras.InputSpec(shape=inputs.shape, dtype=inputs.dtype, name=inputs.name)]


_WRITERS: dict[str, Callable[[keras.Model, Path], None]] = {
    "keras": _keras,
    "onnx": _onnx,
    "tflite": _tflite,
    "saved_model": _saved_model,
}
