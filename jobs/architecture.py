"""The one description of a network: its layers as a graph, with their shapes, weights, memory and work.

Estimates, refusals, the engine and exports read it; none of them computes a shape of its own.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache, reduce

from jobs.datasets import DatasetInfo
from jobs.errors import InvalidSpec
from jobs.layers.activations import Activation
from jobs.layers.base import MOST_VALUES, Cost, Layer, Shape, Unfit, Weight, words
from jobs.layers.convolution import Conv2D
from jobs.layers.dense import Dense
from jobs.layers.initializers import Orthogonal, described
from jobs.layers.noise import Dropout
from jobs.layers.pooling import MaxPooling
from jobs.layers.recurrent import Bidirectional
from jobs.layers.reshaping import Flatten
from jobs.spec import CNN, MLP, Layers, Model, Softmax, Spec

OUTPUT = "output"
"""Name of the last layer of a `softmax`, `mlp` or `cnn`."""
EXAMPLE = "input"
"""Name by which a layer takes the example itself."""
EXAMPLE_PLACE = -1
"""Its place among the nodes."""
RESERVED = frozenset({EXAMPLE, "features", "scaled", "probabilities", "standardised"})
"""Names that exported graphs have for what is no layer of the network."""

MEMORY_PER_WEIGHT = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2}
"""Values that each optimizer remembers for a weight."""


@dataclass(frozen=True)
class Node:
    """A layer in its place. Shapes are those of one example."""

    place: int
    """In the list, from 0."""
    name: str
    layer: Layer
    takes: tuple[int, ...]
    """Places of the nodes whose outputs it takes; -1 is the example."""
    inputs: tuple[Shape, ...]
    output: Shape
    weights: tuple[Weight, ...]
    """Named within the network: `conv2d_1/kernel`. Of a frozen layer none is trained."""
    cost: Cost
    is_frozen: bool = False

    @property
    def title(self) -> str:
        """As messages name it."""
        return _title(self.place, self.name, self.layer)

    @cached_property
    def values(self) -> int:
        """Values of what it gives."""
        return math.prod(self.output)

    @cached_property
    def parameters(self) -> int:
        """Values of all its weights."""
        return sum(weight.size for weight in self.weights)


@dataclass(frozen=True, eq=False)
class Architecture:
    """A network's layers, each behind those that it takes; the last one's output is the network's.

    Of the same model and data it is the same object, by which what is computed of it is kept.
    """

    inputs: Shape
    """Of an example: (height, width, channels), or (width,) for a row."""
    nodes: tuple[Node, ...]
    is_chain: bool
    """Whether it is of the kinds `softmax`, `mlp` and `cnn`, which the engine writes out by hand."""

    @cached_property
    def weights(self) -> tuple[Weight, ...]:
        """All weights, layer by layer."""
        return tuple(weight for node in self.nodes for weight in node.weights)

    @cached_property
    def trained(self) -> tuple[Weight, ...]:
        """Those that gradients change."""
        return tuple(weight for weight in self.weights if weight.is_trained)

    @cached_property
    def fixed(self) -> tuple[Weight, ...]:
        """The others: frozen ones, and moving statistics."""
        return tuple(weight for weight in self.weights if not weight.is_trained)

    @cached_property
    def parameters(self) -> int:
        """Number of trained values."""
        return sum(weight.size for weight in self.trained)

    @cached_property
    def non_trainable_parameters(self) -> int:
        """Number of the values of the others."""
        return sum(weight.size for weight in self.fixed)

    @cached_property
    def has_batch_statistics(self) -> bool:
        """Whether what training makes of an example depends on the others of its batch."""
        return any(node.layer.has_batch_statistics and not node.is_frozen for node in self.nodes)

    @cached_property
    def has_convolutions(self) -> bool:
        """Whether any layer of it is one."""
        return any(node.layer.is_convolution for node in self.nodes)

    @cached_property
    def has_max_pooling(self) -> bool:
        """Whether any layer of it takes the largest of windows."""
        return any(isinstance(node.layer, MaxPooling) for node in self.nodes)

    @cached_property
    def takes_ids(self) -> bool:
        """Whether it is fed with whole numbers, as they were uploaded, not with what they are scaled to."""
        return any(node.layer.takes_ids for node in self.nodes)

    @cached_property
    def flops(self) -> int:
        """Multiplications and additions of training on one example: two a product forward, as many for the kernel's
        gradient where it is trained, and as many for that of the layer's input, where anything before it is."""
        moved: list[bool] = []
        work = 0
        for node in self.nodes:
            is_trained = any(weight.is_trained for weight in node.weights)
            before = any(moved[place] for place in node.takes if place >= 0)
            moved.append(is_trained or before)
            work += 2 * node.cost.products * (1 + is_trained + before)
        return work

    @cached_property
    def modes(self) -> frozenset[str]:
        """Execution modes in which it can be trained."""
        return _by_all(node.layer.modes for node in self.nodes)

    @cached_property
    def formats(self) -> frozenset[str]:
        """Formats in which it can leave."""
        return _by_all(node.layer.formats for node in self.nodes)


def _by_all(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return reduce(lambda one, other: one & other, sets)


def describe(spec: Spec, dataset: DatasetInfo) -> Architecture:
    """The network of a spec for a dataset's examples, and its classes or targets.

    Raises InvalidSpec, naming the layer, where its layers do not go together or with the data.
    """
    network = _described(spec.model, dataset, spec.freeze)  # pyright: ignore[reportArgumentType] (frozen, as pydantic says it)
    if isinstance(spec.model, Layers):
        _check_end(network, spec)
    return network


# Jobs come in series of the same.
@lru_cache(maxsize=256)
def _described(model: Model, dataset: DatasetInfo, freeze: tuple[str, ...]) -> Architecture:
    match model:
        case Softmax():
            layers = _dense(dataset.shape, (), dataset.outputs, activation="linear")
        case MLP():
            layers = _dense(
                dataset.shape, model.hidden, dataset.outputs, activation=model.activation, dropout=model.dropout
            )
        case CNN():
            layers = _convolutions(model, dataset)
        case Layers():
            layers = model.layers
    return Architecture(
        dataset.shape,
        _graph(layers, dataset, freeze=frozenset(freeze)),
        is_chain=not isinstance(model, Layers),
    )


# --- the graph ------------------------------------------------------------------------------------


def _graph(layers: Sequence[Layer], dataset: DatasetInfo, *, freeze: frozenset[str]) -> tuple[Node, ...]:
    nodes: list[Node] = []
    places: dict[str, int] = {EXAMPLE: -1}
    folded: dict[str, str] = {name.casefold(): name for name in RESERVED}
    later = {layer.name for layer in layers}
    for place, layer in enumerate(layers):
        is_last = place == len(layers) - 1
        if is_last and isinstance(layer, Dense) and layer.units is None:
            layer = layer.model_copy(update={"units": dataset.outputs})  # noqa: PLW2901 (the same one, filled in)
        name = layer.name or f"{layer.type}_{place + 1}"
        refuse = _Refusal(place, name, layer)
        if (other := folded.get(name.casefold())) is not None:
            what = "is a name of the network's own" if other in RESERVED else f"is the name of another layer, {other!r}"
            raise refuse(f"{what}; names must differ in more than case", "name")
        takes = tuple(_found(named, places, later, refuse) for named in layer.inputs) if layer.inputs else (place - 1,)
        shapes = tuple(dataset.shape if at < 0 else nodes[at].output for at in takes)
        nodes.append(_node(layer, name, takes, shapes, refuse, is_frozen=name in freeze))
        places[name], folded[name.casefold()] = place, name
    _check_used(nodes)
    _check_ids(nodes, dataset)
    _check_outputs(nodes[-1], dataset)
    for name in sorted(freeze - places.keys()):
        raise InvalidSpec(f"there is no layer {name!r} to freeze{_perhaps(name, places)}", pointer="/freeze")
    if not any(weight.is_trained for node in nodes for weight in node.weights):
        why, pointer = (
            ("all its layers with weights are frozen", "/freeze")
            if freeze
            else ("no layer of it has weights", "/model")
        )
        raise InvalidSpec(f"the network has nothing to train: {why}", pointer=pointer)
    return tuple(nodes)


def _node(
    layer: Layer,
    name: str,
    takes: tuple[int, ...],
    shapes: tuple[Shape, ...],
    refuse: "_Refusal",
    *,
    is_frozen: bool,
) -> Node:
    fewest, most = layer.takes
    if not fewest <= len(takes) <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise refuse(f"takes {wanted} input{'s' if most > 1 else ''}, and {len(takes)} come in", "inputs")
    try:
        output, weights = layer.output(shapes), layer.weights(shapes)
    except Unfit as unfit:
        raise refuse(str(unfit), unfit.field) from unfit
    if math.prod(output) > MOST_VALUES:
        product = f"{words(output)} = " if len(output) > 1 else ""
        raise refuse(f"gives {product}{math.prod(output):,} values an example; at most {MOST_VALUES:,}")
    _check_initializers(weights, refuse)
    return Node(
        refuse.place,
        name,
        layer,
        takes,
        shapes,
        output,
        tuple(
            replace(weight, name=f"{name}/{weight.name}", is_trained=weight.is_trained and not is_frozen)
            for weight in weights
        ),
        layer.cost(shapes),
        is_frozen,
    )


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Makes errors of a layer."""

    place: int
    name: str
    layer: Layer

    def __call__(self, detail: str, field: str = "") -> InvalidSpec:
        pointer = f"/model/layers/{self.place}"
        return InvalidSpec(
            f"{_title(self.place, self.name, self.layer)}, {detail}",
            pointer=f"{pointer}/{field}" if field else pointer,
        )


def _title(place: int, name: str, layer: Layer) -> str:
    return f"layer {place + 1}, {name!r} ({layer.type})"


def _found(named: str, places: dict[str, int], later: set[str | None], refuse: _Refusal) -> int:
    if named in places:
        return places[named]
    if named == refuse.name:
        raise refuse("takes itself: a network has no cycles", "inputs")
    if named in later:
        raise refuse(f"takes {named!r}, which comes after it: layers take from those before, in no cycles", "inputs")
    raise refuse(f"takes {named!r}, and no layer before it has that name{_perhaps(named, places)}", "inputs")


def _perhaps(name: str, known: dict[str, int]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; perhaps {close[0]!r}?" if close else ""


def _check_used(nodes: Sequence[Node]) -> None:
    used = {place for node in nodes for place in node.takes}
    for node in nodes[:-1]:
        if node.place not in used:
            refuse = _Refusal(node.place, node.name, node.layer)
            raise refuse("leads nowhere: no later layer takes what it gives, and it is not the last")


def _check_ids(nodes: Sequence[Node], dataset: DatasetInfo) -> None:
    """Raise InvalidSpec where a layer would look up what are no whole numbers, or another one would take these."""
    lookups = [node for node in nodes if node.layer.takes_ids]
    if not lookups:
        return
    for node in lookups:
        refuse = _Refusal(node.place, node.name, node.layer)
        if node.takes != (EXAMPLE_PLACE,):
            raise refuse(f"takes the example's own numbers: its inputs must be {EXAMPLE!r} alone", "inputs")
        if dataset.kind == "table":
            raise refuse(f"takes whole numbers, and the rows of {dataset.name} are no whole numbers")
    for node in nodes:
        if EXAMPLE_PLACE in node.takes and not node.layer.takes_ids:
            raise _Refusal(node.place, node.name, node.layer)(
                f"takes {EXAMPLE!r}, which is whole numbers for {lookups[0].name!r} to look up: every layer that takes "
                "it must be an embedding",
                "inputs",
            )


def _check_initializers(weights: Sequence[Weight], refuse: "_Refusal") -> None:
    for weight in weights:
        if len(weight.shape) < 2 and isinstance(described(weight.initializer), Orthogonal):
            leaf = weight.name.rpartition("/")[2]
            field = f"layer/{leaf}_initializer" if isinstance(refuse.layer, Bidirectional) else f"{leaf}_initializer"
            raise refuse(f"has a {leaf} with one axis, and orthogonal is for two and more", field)


def _check_outputs(last: Node, dataset: DatasetInfo) -> None:
    if last.output != (dataset.outputs,):
        what = "targets" if dataset.task == "regression" else "classes"
        refuse = _Refusal(last.place, last.name, last.layer)
        field = "units" if isinstance(last.layer, Dense) and len(last.output) == 1 else ""
        raise refuse(
            f"is the last and gives {words(last.output)}; {dataset.name} has {dataset.outputs:,} {what}, so it must "
            f"give {dataset.outputs:,} values",
            field,
        )


def _check_end(network: Architecture, spec: Spec) -> None:
    """Raise InvalidSpec where probabilities would be made twice, or whole numbers augmented."""
    if network.takes_ids and spec.augmentation:
        node = next(node for node in network.nodes if node.layer.takes_ids)
        detail = f"{node.title}, looks up the pixels themselves"
        raise InvalidSpec(f"{detail}: such examples cannot be augmented", pointer="/augmentation")
    last = network.nodes[-1]
    activation = getattr(last.layer, "activation", None)
    if spec.loss == "cross_entropy" and activation in ("softmax", "sigmoid"):
        raise _Refusal(last.place, last.name, last.layer)(
            f"is the last and has the activation {activation}: cross_entropy makes probabilities of what it gives "
            "by itself, and so do predictions and exports; leave it linear",
            "activation",
        )


# --- written shortly ------------------------------------------------------------------------------


def _convolutions(model: CNN, dataset: DatasetInfo) -> tuple[Layer, ...]:
    """Blocks that keep the image's size, then halve it; then dense layers. Raises InvalidSpec for what is no image."""
    if len(dataset.shape) != 3:
        what = "rows" if dataset.kind == "table" else f"arrays of {' x '.join(map(str, dataset.shape))}"
        raise InvalidSpec(f"a cnn needs images, and {dataset.name} has {what}", pointer="/model/type")
    layers: list[Layer] = []
    height, width, channels = dataset.shape
    for index, filters in enumerate(model.filters, 1):
        name, pool = f"convolution_{index}", (min(2, height), min(2, width))
        layers.append(
            Conv2D(
                name=name,
                filters=filters,
                kernel_size=model.kernel_size,
                padding="same",
                activation=model.activation,
                kernel_initializer="fan_in_uniform",
            )
        )
        layers.append(MaxPooling(name=f"{name}_pool", pool_size=pool))
        height, width, channels = height // pool[0], width // pool[1], filters
    # What comes from convolutions is dropped too, an image's own pixels are not.
    behind = _dense(
        (height, width, channels),
        model.dense,
        dataset.outputs,
        activation=model.activation,
        dropout=model.dropout,
        first_dropout=model.dropout,
    )
    return (*layers, *behind)


def _dense(
    inputs: Shape,
    hidden: tuple[int, ...],
    outputs: int,
    *,
    activation: Activation,
    dropout: float = 0.0,
    first_dropout: float = 0.0,
) -> tuple[Layer, ...]:
    """Hidden layers and the output layer, which has no activation."""
    layers: list[Layer] = []
    for index, width in enumerate((*hidden, outputs), 1):
        is_output = index > len(hidden)
        name = OUTPUT if is_output else f"dense_{index}"
        if index == 1 and len(inputs) > 1:
            layers.append(Flatten(name=f"{name}_flat"))
        if rate := dropout if index > 1 else first_dropout:
            layers.append(Dropout(name=f"{name}_dropout", rate=rate))
        layers.append(
            Dense(
                name=name,
                units=width,
                activation="linear" if is_output else activation,
                kernel_initializer="fan_in_uniform",
            )
        )
    return tuple(layers)
