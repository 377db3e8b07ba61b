"""Weights as bytes."""

import io

import numpy as np

from worker.files.exports import weights_npz

WEIGHTS = {"dense_1/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "dense_1/bias": np.zeros(3, np.float32)}


def test_the_same_weights_give_the_same_bytes() -> None:
    assert weights_npz(WEIGHTS) == weights_npz({name: array.copy() for name, array in WEIGHTS.items()})


def test_one_changed_bit_changes_the_bytes() -> None:
    changed = {**WEIGHTS, "dense_1/bias": np.nextafter(WEIGHTS["dense_1/bias"], np.float32(1))}
    assert weights_npz(WEIGHTS) != weights_npz(changed)


def test_numpy_reads_them_without_pickle() -> None:
    with np.load(io.BytesIO(weights_npz(WEIGHTS)), allow_pickle=False) as archive:
        assert {name: archive[name].tolist() for name in archive} == {n: a.tolist() for n, a in WEIGHTS.items()}
