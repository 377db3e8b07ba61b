"""Predictions by ONNX Runtime: models in memory, and inputs brought together."""

import os

# Imported without it, ONNX Runtime names the machine in a file of its own and tells its maker how it is used.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
