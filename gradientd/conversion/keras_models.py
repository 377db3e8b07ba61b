"""Keras models as networks of a spec: `from_keras`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from gradientd.conversion.described import INSTEAD, Fields, layer_of
from gradientd.conversion.errors import NotConvertible
from gradientd.conversion.graph import Call, Graph, graph_of
from jobs.architecture import EXAMPLE, RESERVED
from jobs.layers.base import Layer
from jobs.layers.dense import Dense
from jobs.spec import MOST_LAYERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_NAME = 64
PIXEL_SCALE = 1 / 255


@dataclass(frozen=True, repr=False, eq=False)
class ConvertedModel:
    """A network as a spec has it, and its weights."""

    model: Fields
    """A spec's `model`: `{"type": "layers", "layers": […]}`."""
    weights: "Mapping[str, NDArray[np.float32]]"
    """Arrays by our names, `layer/weight`, in the network's order."""
    freeze: tuple[str, ...]
    """A spec's `freeze`: layers that are not trainable in Keras."""
    input_shape: tuple[int, ...]
    """Of an example."""
    notes: tuple[str, ...]
    """What was left out or is written otherwise, and why."""

    def save_weights(self, file: "str | PathLike[str] | IO[bytes]") -> None:
        """Write the weights as a `.npz`. Raises OSError."""
        np.savez(file, **self.weights)  # pyright: ignore[reportArgumentType] (arrays by name)

    def __repr__(self) -> str:
        values = sum(array.size for array in self.weights.values())
        return f"<a network of {len(self.model['layers'])} layers, {values:,} values>"


def from_keras(model: Any) -> ConvertedModel:
    """A Keras 3 model, Sequential or Functional, as a network that the service trains.

    The layers get Keras' names. A softmax at the end is left out, since `cross_entropy`, predictions and exports make
    probabilities by themselves; a single sigmoid becomes two classes with the same probabilities; a Rescaling of
    pixels by 1/255 at the beginning is the server's. `notes` tells what was changed so.

    Raises NotConvertible, a ValueError, naming the layer and the reason.
    """
    return _Conversion(graph_of(model)).converted()


@dataclass
class _Conversion:
    graph: Graph
    layers: list[Layer] = field(default_factory=list[Layer])
    weights: dict[str, Any] = field(default_factory=dict[str, Any])
    freeze: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    names: dict[int, str] = field(default_factory=dict[int, str])
    """Of the layer that gives each tensor."""
    seen: set[int] = field(default_factory=set[int])
    taken: set[str] = field(default_factory=lambda: {name.casefold() for name in RESERVED})

    def converted(self) -> ConvertedModel:
        self.names[self.graph.input] = EXAMPLE
        for call in self.graph.calls:
            # Before what Keras makes of it: comparisons that nobody has written.
            if call.kind == "Masking":
                raise call.refuse(INSTEAD[call.kind])
        for call in self.graph.calls:
            self._add(call)
        if not self.layers:
            raise NotConvertible("has no layers")
        if len(self.layers) > MOST_LAYERS:
            raise NotConvertible(f"has {len(self.layers)} layers; a spec has {MOST_LAYERS} at most")
        self._end()
        model = {"type": "layers", "layers": [written(layer) for layer in self.layers]}
        return ConvertedModel(model, self.weights, tuple(self.freeze), self.graph.input_shape, tuple(self.notes))

    def _add(self, call: Call) -> None:
        if self._scales_pixels(call):
            self.notes.append(f"{call.layer.name!r} is left out: the server scales pixels by 1/255 itself")
            self.names[call.output] = EXAMPLE
            return
        name = self._name(f"{call.prefix}{call.layer.name}")
        layer = layer_of(call, name=name)
        if layer is None:
            self.names[call.output] = self.names[call.inputs[0]]
            return
        dtype = getattr(call.layer, "compute_dtype", "float32") if call.is_layer else "float32"
        if dtype != "float32":
            self.notes.append(f"{name!r} computes in {dtype}: here that is the spec's `precision`, of all layers")
        self.taken.add(name.casefold())
        before = self.layers[-1].name if self.layers else EXAMPLE
        inputs = tuple(self.names[tensor] for tensor in call.inputs)
        self.layers.append(layer if inputs == (before,) else layer.model_copy(update={"inputs": inputs}))
        self.names[call.output] = name
        self._keep(call, layer, name)

    def _keep(self, call: Call, layer: Layer, name: str) -> None:
        """Take a layer's weights."""
        described = layer.weights([tuple(side or 0 for side in shape) for shape in call.shapes])
        if not described:
            return
        if id(call.layer) in self.seen:
            raise call.refuse("is called more than once: layers here share no weights")
        self.seen.add(id(call.layer))
        arrays = [np.asarray(array, np.float32) for array in call.layer.get_weights()]
        if [array.shape for array in arrays] != [weight.shape for weight in described]:
            raise call.refuse("has weights of other shapes than the layer here")
        self.weights |= {f"{name}/{weight.name}": array for weight, array in zip(described, arrays, strict=True)}
        if not call.layer.trainable:
            self.freeze.append(name)

    def _scales_pixels(self, call: Call) -> bool:
        if call.kind != "Rescaling" or self.names.get(call.inputs[0]) != EXAMPLE or len(self.graph.input_shape) != 3:
            return False
        config = call.layer.get_config()
        scale, offset = config["scale"], config["offset"]
        if isinstance(scale, float) and abs(scale - PIXEL_SCALE) < 1e-9 and offset == 0:
            return True
        raise call.refuse(
            f"scales pixels by {scale} and adds {offset}: the server scales them by 1/255; train the model so, with "
            "Rescaling(1 / 255), which is left out here"
        )

    def _name(self, name: str) -> str:
        """A name that a spec can have, near Keras'."""
        short = name.rpartition(".")[2]
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name if short.casefold() in self.taken else short)
        plain = plain if plain[:1].isalpha() and plain.isascii() else f"layer_{plain}"
        plain, number = plain[:LONGEST_NAME], 1
        while (found := plain if number == 1 else f"{plain[: LONGEST_NAME - 4]}_{number}").casefold() in self.taken:
            number += 1
        return found

    def _end(self) -> None:
        """Leave out what makes probabilities at the end."""
        last = self.layers[-1]
        if self.names[self.graph.output] != last.name:
            raise NotConvertible("has layers behind its output, or gives what comes in")
        activation = getattr(last, "activation", "linear")
        if activation == "softmax":
            self.notes.append(f"the softmax of {last.name!r} is left out: cross_entropy makes probabilities by itself")
            self._without_activation(last)
        elif activation == "sigmoid":
            self._two_classes(last)

    def _without_activation(self, last: Layer) -> None:
        if last.type == "activation":
            if last.inputs is not None or len(self.layers) < 2:
                raise NotConvertible("ends in what is not the layer before it", layer=last.name or "", kind="Softmax")
            self.layers.pop()
        else:
            self.layers[-1] = last.model_copy(update={"activation": "linear"})

    def _two_classes(self, last: Layer) -> None:
        """σ(z) is the second class's share in the softmax of 0 and z."""
        self._without_activation(last)
        dense = self.layers[-1]
        if self.graph.output_shape == (1,) and not isinstance(dense, Dense):
            raise NotConvertible(
                "ends in a sigmoid that is not a Dense layer's: two classes are made of that alone; end in "
                "Dense(1, activation='sigmoid'), or in a Dense with a value for each class",
                layer=last.name or "",
                kind="sigmoid",
            )
        if not isinstance(dense, Dense) or dense.units != 1:
            raise NotConvertible(
                "ends in sigmoids, each an answer of its own: gradientd tells one class of several, or numbers; end in "
                "a Dense with a value for each class, or in one sigmoid for two",
                layer=last.name or "",
                kind="sigmoid",
            )
        self.layers[-1] = dense.model_copy(update={"units": 2})
        self.notes.append(f"{dense.name!r} gives two values, one a class, of which the sigmoid was the second's share")
        for name in (f"{dense.name}/kernel", f"{dense.name}/bias"):
            if name in self.weights:
                array = self.weights[name]
                self.weights[name] = np.concatenate([np.zeros_like(array), array], axis=-1)


def written(value: BaseModel) -> Fields:
    """A layer, or a part of it, as one writes it: its type, and what differs from its kind's defaults."""
    told = value.model_dump(mode="json", exclude_defaults=True)
    fields = {"type": getattr(value, "type", None), **told} if "type" in type(value).model_fields else told
    return {
        key: written(part) if isinstance(part := getattr(value, key), BaseModel) else each
        for key, each in fields.items()
    }
