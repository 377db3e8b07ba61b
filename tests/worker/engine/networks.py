"""Networks written as layers, for tests of the engine."""

from typing import Any

Body = dict[str, Any]


def layers(*bodies: Body) -> Body:
    """A spec's `model`."""
    return {"type": "layers", "layers": list(bodies)}


def residual(*, filters: tuple[int, int] = (4, 6), rate: float = 0.0) -> Body:
    """A convolution, then two blocks of two convolutions with BatchNorm and a way around them, pooled; a dense layer.

    The second block has another number of channels, so its way around is a convolution too.
    """
    first, second = filters
    return layers(
        {"type": "conv2d", "name": "stem", "filters": first, "kernel_size": 3, "padding": "same", "use_bias": False},
        *_block("first", first, "stem", around="stem"),
        {"type": "max_pooling", "name": "smaller"},
        {"type": "conv2d", "name": "around", "filters": second, "kernel_size": 1},
        *_block("second", second, "smaller", around="around"),
        {"type": "max_pooling", "name": "smallest"},
        {"type": "flatten", "name": "flat"},
        *([{"type": "dropout", "name": "drop", "rate": rate}] if rate else []),
        {"type": "dense", "name": "told"},
    )


def _block(name: str, filters: int, taken: str, *, around: str) -> list[Body]:
    convolution = {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", "use_bias": False}
    return [
        {**convolution, "name": f"{name}_1", "inputs": [taken]},
        {"type": "batch_normalization", "name": f"{name}_norm_1", "momentum": 0.9},
        {"type": "activation", "name": f"{name}_relu", "activation": "relu"},
        {**convolution, "name": f"{name}_2"},
        {"type": "batch_normalization", "name": f"{name}_norm_2", "momentum": 0.9},
        {"type": "add", "name": f"{name}_sum", "inputs": [f"{name}_norm_2", around]},
        {"type": "activation", "name": name, "activation": "relu"},
    ]


def normalised(*, rate: float = 0.0) -> Body:
    """Dense layers with BatchNorm between them."""
    return layers(
        {"type": "dense", "name": "hidden", "units": 12, "use_bias": False},
        {"type": "batch_normalization", "name": "norm", "momentum": 0.8},
        {"type": "activation", "name": "relu", "activation": "relu"},
        *([{"type": "dropout", "name": "drop", "rate": rate}] if rate else []),
        {"type": "dense", "name": "told"},
    )


def recurrent() -> Body:
    """An LSTM that gives all its states, and one that gives its last."""
    return layers(
        {"type": "lstm", "name": "first", "units": 8, "return_sequences": True},
        {"type": "lstm", "name": "second", "units": 6},
        {"type": "dense", "name": "told"},
    )


def attentive() -> Body:
    """A block of attention and one of dense layers, each with a way around it and normalised, and their mean."""
    return layers(
        {"type": "dense", "name": "in", "units": 8},
        {"type": "multi_head_attention", "name": "look", "num_heads": 2, "key_dim": 4},
        {"type": "add", "name": "looked", "inputs": ["in", "look"]},
        {"type": "layer_normalization", "name": "norm_1"},
        {"type": "dense", "name": "wide", "units": 16, "activation": "relu"},
        {"type": "dense", "name": "narrow", "units": 8},
        {"type": "add", "name": "thought", "inputs": ["norm_1", "narrow"]},
        {"type": "layer_normalization", "name": "norm_2"},
        {"type": "global_average_pooling", "name": "mean"},
        {"type": "dense", "name": "told"},
    )
