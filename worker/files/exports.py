"""Weights as bytes: the same weights always give the same bytes, so their hash names them."""

import io
from collections.abc import Mapping

import numpy as np


def weights_npz(weights: Mapping[str, np.ndarray]) -> bytes:
    """The named arrays as an uncompressed `.npz` without pickle.

    Deterministic: NumPy writes a fixed date, and the order is the mapping's.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **weights)
    return buffer.getvalue()
