"""Predictions by ONNX Runtime: models in memory, and inputs brought together."""
