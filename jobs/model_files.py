"""The files that a trained model leaves, by their form: written by workers, named by the API and the client."""

import re
from typing import Literal

ModelForm = Literal["keras", "onnx", "tflite", "tflite_int8", "saved_model", "weights"]
"""A spec's `export` may ask for all but the weights, which are always there."""

FILES: dict[ModelForm, str] = {
    "keras": "model.keras",
    "onnx": "model.onnx",
    "tflite": "model.tflite",
    "tflite_int8": "model-int8.tflite",
    "saved_model": "saved_model.tar",
    "weights": "weights.npz",
}
ARTIFACT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Names that files may have."""
ENCODING = "encoding.json"
"""What the model is fed and what it tells: a `jobs.model_encoding.ModelEncoding`."""
EVALUATION = "evaluation.json"
"""What the model told of its test examples: a `jobs.evaluation.Evaluation`."""
