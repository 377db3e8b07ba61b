"""Described layers as Keras layers: in training, where their weights are given to them, and in exports."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras

from jobs.architecture import Node
from jobs.layers.base import Layer

ABOUT_WEIGHTS = ("_initializer", "_regularizer")
"""Ends of the parameters that Keras need not know: first values and penalties are the engine's."""

_CLASSES: dict[str, str | dict[int, str]] = {
    "activation": "Activation",
    "add": "Add",
    "batch_normalization": "BatchNormalization",
    "conv2d": "Conv2D",
    "dense": "Dense",
    "dropout": "Dropout",
    "flatten": "Flatten",
    "max_pooling": {2: "MaxPooling1D", 3: "MaxPooling2D"},
}
"""Keras' class of each kind, or by the number of axes of what comes in."""

Behind = Mapping[str, Callable[[Any], Any]]
"""Activations that are computed behind the layer, which is then linear, by their names."""


def outputs(
    nodes: Sequence[Node], example: Any, *, dtype: str = "float32", behind: Behind = MappingProxyType({})
) -> Any:
    """The network's output for a symbolic example [None, *shape]. Layers have the nodes' names.

    `dtype` is Keras' name of a precision.
    """
    given: dict[int, Any] = {-1: example}
    for node in nodes:
        taken = [given[place] for place in node.takes]
        layer = keras_layer(node, dtype=dtype, linear=frozenset(behind))
        told = layer(taken[0] if node.layer.takes == (1, 1) else taken)
        activation = behind.get(getattr(node.layer, "activation", ""))
        given[node.place] = activation(told) if activation else told
    return given[nodes[-1].place]


def keras_layer(node: Node, *, dtype: str = "float32", linear: Collection[str] = ()) -> Any:
    """The Keras layer of a node, with its name and weights of its own. Activations with a name in `linear` are none."""
    kind = _CLASSES[node.layer.type]
    parameters = _parameters(node.layer)
    if parameters.get("activation") in linear:
        parameters["activation"] = "linear"
    made = getattr(keras.layers, kind if isinstance(kind, str) else kind[len(node.inputs[0])])
    layer = made(name=node.name, dtype=dtype, **parameters)
    layer.trainable = not node.is_frozen
    return layer


def _parameters(layer: Layer) -> dict[str, Any]:
    """Those that Keras' layer needs to know."""
    own = {"type", "name", "inputs"}
    return {
        key: value
        for key, value in layer.model_dump().items()
        if key not in own and not key.endswith(ABOUT_WEIGHTS) and value is not None
    }
