"""Update rules as pure functions: weights, gradients and memory in, weights and memory out.

What a user may tune enters as tensors (`Hyper`), so that one compiled program serves every value.
"""

from collections.abc import Callable, Mapping

import tensorflow as tf

from jobs.spec import Optimizer

Tensors = tuple[tf.Tensor, ...]
Hyper = Mapping[str, tf.Tensor]
"""float32 scalars by name, as in the spec, without `learning_rate`; the step's own beside them."""

Update = Callable[[Tensors, Tensors, Tensors, tf.Tensor, tf.Tensor, Hyper], tuple[Tensors, Tensors]]
"""(weights, gradients, memory, learning rate, steps so far + 1, hyper) → (weights, memory)."""


def _sgd(
    weights: Tensors, gradients: Tensors, memory: Tensors, rate: tf.Tensor, _: tf.Tensor, __: Hyper
) -> tuple[Tensors, Tensors]:
    """θ′ = θ − η·g"""
    return tuple(w - rate * g for w, g in zip(weights, gradients, strict=True)), memory


def _momentum(
    weights: Tensors, gradients: Tensors, memory: Tensors, rate: tf.Tensor, _: tf.Tensor, hyper: Hyper
) -> tuple[Tensors, Tensors]:
    """v′ = μ·v − η·g; θ′ = θ + v′"""
    velocities = _velocities(memory, gradients, rate, hyper)
    return tuple(w + v for w, v in zip(weights, velocities, strict=True)), velocities


def _nesterov(
    weights: Tensors, gradients: Tensors, memory: Tensors, rate: tf.Tensor, _: tf.Tensor, hyper: Hyper
) -> tuple[Tensors, Tensors]:
    """v′ = μ·v − η·g; θ′ = θ + μ·v′ − η·g"""
    velocities = _velocities(memory, gradients, rate, hyper)
    moved = zip(weights, velocities, gradients, strict=True)
    return tuple(w + hyper["momentum"] * v - rate * g for w, v, g in moved), velocities


def _velocities(memory: Tensors, gradients: Tensors, rate: tf.Tensor, hyper: Hyper) -> Tensors:
    return tuple(hyper["momentum"] * v - rate * g for v, g in zip(memory, gradients, strict=True))


def _adam(
    weights: Tensors, gradients: Tensors, memory: Tensors, rate: tf.Tensor, count: tf.Tensor, hyper: Hyper
) -> tuple[Tensors, Tensors]:
    """m′ = β₁m + (1−β₁)g; v′ = β₂v + (1−β₂)g²; θ′ = θ − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m′/(√v′ + ε), as Keras writes it."""
    half = len(memory) // 2
    beta_1, beta_2 = hyper["beta_1"], hyper["beta_2"]
    means = tuple(m + (g - m) * (1 - beta_1) for m, g in zip(memory[:half], gradients, strict=True))
    squares = tuple(v + (g * g - v) * (1 - beta_2) for v, g in zip(memory[half:], gradients, strict=True))
    scale = rate * tf.sqrt(1 - tf.pow(beta_2, count)) / (1 - tf.pow(beta_1, count))
    moved = zip(weights, means, squares, strict=True)
    return tuple(w - scale * m / (tf.sqrt(v) + hyper["epsilon"]) for w, m, v in moved), (*means, *squares)


def _adamw(
    weights: Tensors, gradients: Tensors, memory: Tensors, rate: tf.Tensor, count: tf.Tensor, hyper: Hyper
) -> tuple[Tensors, Tensors]:
    """θ ← θ − η·λ·θ for kernels, then Adam."""
    decayed = tuple(w - rate * hyper["weight_decay"] * w if w.shape.rank > 1 else w for w in weights)
    return _adam(decayed, gradients, memory, rate, count, hyper)


RULES: dict[str, Update] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "adamw": _adamw,
}
"""Each optimizer's update, with `MEMORY_PER_WEIGHT` tensors of memory for each weight."""


def hyper_of(optimizer: Optimizer) -> dict[str, float]:
    """The tunable values of an optimizer, learning rate aside."""
    return {name: float(value) for name, value in optimizer if name not in {"type", "learning_rate"}}
