"""Parts of a layer's configuration, as Keras serializes them, in our words. Raise ValueError for what has none."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

NAMED_INITIALIZERS = {
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
    "Zeros": "zeros",
    "Ones": "ones",
}
INITIALIZERS = {
    "Constant": "constant",
    "RandomUniform": "random_uniform",
    "RandomNormal": "random_normal",
    "TruncatedNormal": "truncated_normal",
    "VarianceScaling": "variance_scaling",
    "Orthogonal": "orthogonal",
    "OrthogonalInitializer": "orthogonal",
}
REGULARIZERS = frozenset({"L1", "L2", "L1L2"})
SIZES = frozenset({"kernel_size", "strides", "dilation_rate", "pool_size", "size"})
"""Parameters that Keras tells as a number for each axis."""


def part(key: str, value: Any) -> Any:
    """A parameter of a layer, by its name."""
    if key.endswith("initializer"):
        return initializer(value)
    if key.endswith("regularizer"):
        return regularizer(value)
    if key.endswith("activation"):
        return activation(value)
    if key in SIZES and isinstance(value, (tuple, list)):
        sides = list(cast("Sequence[int]", value))
        return sides[0] if len(set(sides)) == 1 else sides
    return value


def activation(value: Any) -> str:
    """Keras' name of it."""
    if value is None:
        return "linear"
    if isinstance(value, str):
        return "silu" if value == "swish" else value
    told: Mapping[str, Any] = cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
    kind, name = told.get("class_name"), told.get("config")
    if told.get("module") == "keras.layers":
        raise ValueError(f"it is a layer, {kind}: name one of Keras' functions, or put that layer behind this one")
    if isinstance(name, str):
        raise ValueError(f"{name!r} is a function of your own")
    raise ValueError(f"it is {'an object' if kind else 'a function'} of your own{f', {kind}' if kind else ''}")


def initializer(value: Any) -> Any:
    """Where a weight's first values come from. Its seed is the job's."""
    kind, config = _serialized(value)
    told = {key: each for key, each in config.items() if key != "seed" and each is not None}
    if kind in NAMED_INITIALIZERS and not told:
        return NAMED_INITIALIZERS[kind]
    if kind in INITIALIZERS:
        return {"type": INITIALIZERS[kind], **told}
    raise ValueError(f"there is no initializer {kind}")


def regularizer(value: Any) -> Any:
    """What large weights cost."""
    if value is None:
        return None
    kind, config = _serialized(value)
    if kind not in REGULARIZERS:
        raise ValueError(f"there is no regularizer {kind}; there are L1, L2 and L1L2")
    return {key: float(each) for key, each in config.items()}


def _serialized(value: Any) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is a function of your own")
    told = cast("Mapping[str, Any]", value)
    if str(told.get("module") or "keras").partition(".")[0] != "keras" or told.get("registered_name"):
        raise ValueError(f"{told.get('class_name')} is a class of your own")
    return str(told.get("class_name")), cast("Mapping[str, Any]", told.get("config") or {})
