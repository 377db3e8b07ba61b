"""Described layers as Keras layers: in training, where their weights are given to them, and in exports."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras

from jobs.architecture import Node
from jobs.frozen import Frozen
from jobs.layers.attention import MultiHeadAttention
from jobs.layers.recurrent import Bidirectional

ABOUT_WEIGHTS = ("_initializer", "_regularizer")
"""Ends of the parameters that Keras need not know: first values and penalties are the engine's."""

_CLASSES: dict[str, str | dict[int, str]] = {
    "activation": "Activation",
    "add": "Add",
    "average": "Average",
    "average_pooling": {2: "AveragePooling1D", 3: "AveragePooling2D"},
    "batch_normalization": "BatchNormalization",
    "bidirectional": "Bidirectional",
    "concatenate": "Concatenate",
    "conv1d": "Conv1D",
    "conv2d": "Conv2D",
    "conv2d_transpose": "Conv2DTranspose",
    "cropping": {2: "Cropping1D", 3: "Cropping2D"},
    "dense": "Dense",
    "depthwise_conv2d": "DepthwiseConv2D",
    "dropout": "Dropout",
    "embedding": "Embedding",
    "flatten": "Flatten",
    "gaussian_noise": "GaussianNoise",
    "global_average_pooling": {2: "GlobalAveragePooling1D", 3: "GlobalAveragePooling2D"},
    "global_max_pooling": {2: "GlobalMaxPooling1D", 3: "GlobalMaxPooling2D"},
    "group_normalization": "GroupNormalization",
    "gru": "GRU",
    "layer_normalization": "LayerNormalization",
    "lstm": "LSTM",
    "max_pooling": {2: "MaxPooling1D", 3: "MaxPooling2D"},
    "maximum": "Maximum",
    "minimum": "Minimum",
    "multi_head_attention": "MultiHeadAttention",
    "multiply": "Multiply",
    "permute": "Permute",
    "reshape": "Reshape",
    "separable_conv2d": "SeparableConv2D",
    "simple_rnn": "SimpleRNN",
    "spatial_dropout": {2: "SpatialDropout1D", 3: "SpatialDropout2D"},
    "subtract": "Subtract",
    "up_sampling": {2: "UpSampling1D", 3: "UpSampling2D"},
    "zero_padding": {2: "ZeroPadding1D", 3: "ZeroPadding2D"},
}
"""Keras' class of each kind, or by the number of axes of what comes in."""

Behind = Mapping[str, Callable[[Any], Any]]
"""Activations that are computed behind the layer, which is then linear, by their names."""


Instead = Mapping[str, Callable[..., Any]]
"""Classes of layers that are taken in the place of Keras' own, by the names of these."""


def outputs(
    nodes: Sequence[Node],
    example: Any,
    *,
    dtype: str = "float32",
    behind: Behind = MappingProxyType({}),
    instead: Instead = MappingProxyType({}),
) -> Any:
    """The network's output for a symbolic example [None, *shape]. Layers have the nodes' names.

    `dtype` is Keras' name of a precision.
    """
    given: dict[int, Any] = {-1: example}
    for node in nodes:
        taken = [given[place] for place in node.takes]
        layer = keras_layer(node, dtype=dtype, linear=frozenset(behind), instead=instead)
        told = _call(node, layer, taken)
        layer.trainable = not node.is_frozen  # not before: layers that one is made of would miss it
        activation = None if is_within(node) else behind.get(getattr(node.layer, "activation", ""))
        given[node.place] = activation(told) if activation else told
    return given[nodes[-1].place]


def keras_layer(
    node: Node,
    *,
    dtype: str = "float32",
    linear: Collection[str] = (),
    instead: Instead = MappingProxyType({}),
) -> Any:
    """The Keras layer of a node, with its name and weights of its own. Activations with a name in `linear` are none."""
    parameters = _parameters(node.layer)
    if parameters.get("activation") in linear and not is_within(node):
        parameters["activation"] = "linear"
    name = class_name(node)
    if name == "LeakyReLU":
        del parameters["activation"]
    elif name == "UpSampling1D":
        del parameters["interpolation"]
    elif isinstance(node.layer, Bidirectional):
        kind, inner = node.layer.layer.type, _parameters(node.layer.layer)
        parameters["layer"] = getattr(keras.layers, _class(kind, 2))(name=kind, dtype=dtype, **inner)
    elif isinstance(node.layer, MultiHeadAttention):
        del parameters["use_causal_mask"]  # an argument of its call
    made = instead.get(name) or getattr(keras.layers, name)
    return made(name=node.name, dtype=dtype, **parameters)


def is_within(node: Node) -> bool:
    """Whether its activation is part of what it does at each step, and no matter of what it gives."""
    return node.layer.type in ("lstm", "gru", "simple_rnn")


def class_name(node: Node) -> str:
    """Of the Keras layer."""
    if getattr(node.layer, "negative_slope", None) is not None:
        return "LeakyReLU"
    return _class(node.layer.type, len(node.inputs[0]))


def _class(kind: str, axes: int) -> str:
    names = _CLASSES[kind]
    return names if isinstance(names, str) else names[axes]


def _call(node: Node, layer: Any, taken: Sequence[Any]) -> Any:
    """What a layer makes of its inputs."""
    if isinstance(node.layer, MultiHeadAttention):
        query, value, *key = taken if len(taken) > 1 else (taken[0], taken[0])
        return layer(query, value, *key, use_causal_mask=node.layer.use_causal_mask)
    return layer(taken[0] if node.layer.takes == (1, 1) else taken)


def _parameters(layer: Frozen) -> dict[str, Any]:
    """Those that Keras' layer needs to know."""
    own = {"type", "name", "inputs"}
    return {
        key: value
        for key, value in layer.model_dump().items()
        if key not in own and not key.endswith(ABOUT_WEIGHTS) and value is not None
    }
