"""Keras models as the calls of their layers, in an order in which they can be made; models within models opened up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from gradientd.conversion.errors import NotConvertible

Tensor = int
"""Identity of a symbolic tensor."""


@dataclass(frozen=True)
class Call:
    """A layer, or an operation, as it is applied to tensors."""

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Tensor, ...]
    """What layers, or the example, give of that."""
    constants: tuple[tuple[int, ...], ...]
    """Shapes of the arrays among what it is applied to, the first axis included."""
    shapes: tuple[tuple[int | None, ...], ...]
    """Of the inputs, for one example."""
    output: Tensor
    output_shape: tuple[int | None, ...]
    prefix: str
    """Names of the models that it is within."""
    is_untrained: bool
    """Whether it is within a model that is called with training=False."""

    @property
    def kind(self) -> str:
        """Name of the layer's class."""
        return type(self.layer).__name__

    @property
    def is_layer(self) -> bool:
        """Whether it is a layer, and no operation of `keras.ops`."""
        return hasattr(self.layer, "get_weights")

    def refuse(self, reason: str) -> NotConvertible:
        """The error that names it."""
        return NotConvertible(reason, layer=f"{self.prefix}{self.layer.name}", kind=self.kind)


@dataclass(frozen=True)
class Graph:
    """A model of one input and one output."""

    input: Tensor
    input_shape: tuple[int, ...]
    output: Tensor
    output_shape: tuple[int | None, ...]
    calls: tuple[Call, ...]


def graph_of(model: Any) -> Graph:
    """What a model computes. Raises NotConvertible."""
    functional = _functional(model)
    (given,), (told,) = _only(functional.inputs, "inputs"), _only(functional.outputs, "outputs")
    shape = tuple(given.shape[1:])
    if None in shape:
        raise NotConvertible(f"takes examples of {shape}: gradientd's have one shape; give its Input each number")
    if getattr(given, "sparse", False) or getattr(given, "ragged", False):
        raise NotConvertible("takes sparse or ragged tensors: gradientd's examples have one shape")
    walk = _Walk()
    walk.places[id(given)] = id(given)
    calls = tuple(walk.calls(functional, prefix=""))
    return Graph(id(given), shape, walk.places[id(told)], tuple(told.shape[1:]), calls)


def _functional(model: Any) -> Any:
    """The model as a graph. Raises NotConvertible for one that is a program."""
    if not hasattr(model, "layers"):
        raise NotConvertible(f"is no Keras model, but {type(model).__name__}")
    graph: Any = getattr(model, "_functional", model)
    if graph is None:
        raise NotConvertible(
            "has no shapes yet: begin it with keras.Input(shape), or call its build((None, *shape))",
        )
    if not hasattr(graph, "_nodes_by_depth"):
        what = type(model).__name__
        raise NotConvertible(
            f"is a {what}, whose calls are code: write it as a keras.Sequential, or as keras.Model(inputs, outputs)"
        )
    if not all(hasattr(node, "operation") for nodes in graph._nodes_by_depth.values() for node in nodes):
        raise NotConvertible("is of Keras 2: load it with Keras 3")
    return graph


def _only(tensors: Sequence[Any], what: str) -> Sequence[Any]:
    if len(tensors) != 1:
        raise NotConvertible(f"has {len(tensors)} {what}: a network of gradientd has one")
    return tensors


@dataclass
class _Walk:
    places: dict[int, Tensor] = field(default_factory=dict[int, int])
    """What each tensor of a graph is, that of an inner model being the one that it is called with."""
    names: dict[int, str] = field(default_factory=dict[int, str])

    def calls(self, functional: Any, *, prefix: str, is_untrained: bool = False) -> Iterator[Call]:
        """The calls in a model."""
        for depth in sorted(functional._nodes_by_depth, reverse=True):
            for node in functional._nodes_by_depth[depth]:
                if not node.input_tensors:  # an input
                    continue
                yield from self._of_node(node, prefix=prefix, is_untrained=is_untrained)

    def _of_node(self, node: Any, *, prefix: str, is_untrained: bool) -> Iterator[Call]:
        layer, given, told = node.operation, node.input_tensors, node.output_tensors
        args, kwargs = tuple(node.arguments.args), dict(node.arguments.kwargs)
        applied_to = [args, [kwargs.get(name) for name in ("query", "value", "key")]]
        constants = tuple(_constants(applied_to, {id(tensor) for tensor in given}))
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            if constants:
                raise NotConvertible(
                    with_constant(constants[0]), layer=f"{prefix}{layer.name}", kind=type(layer).__name__
                )
            # A model's call has the argument only where it was given.
            untrained = is_untrained or kwargs.get("training") is False
            yield from self._of_model(layer, given, told, prefix=prefix, is_untrained=untrained)
            return
        if type(layer).__name__ == "MultiHeadAttention" and type(layer).__module__.startswith("keras."):
            given = [tensor for tensor in _looked_at(args, kwargs) if id(tensor) in self.places]
        call = Call(
            layer,
            args,
            kwargs,
            tuple(self.places[id(tensor)] for tensor in given),
            constants,
            tuple(tuple(tensor.shape[1:]) for tensor in given),
            id(told[0]),
            tuple(told[0].shape[1:]),
            prefix,
            is_untrained,
        )
        if len(told) != 1:
            raise call.refuse(f"gives {len(told)} tensors: a layer of gradientd gives one")
        self.places[id(told[0])] = id(told[0])
        yield call

    def _of_model(
        self, model: Any, given: Sequence[Any], told: Sequence[Any], *, prefix: str, is_untrained: bool
    ) -> Iterator[Call]:
        try:
            functional = _functional(model)
        except NotConvertible as error:
            raise NotConvertible(error.reason, layer=f"{prefix}{model.name}", kind=type(model).__name__) from None
        before = dict(self.places)
        for inner, outer in zip(functional.inputs, given, strict=True):
            self.places[id(inner)] = before[id(outer)]
        yield from self.calls(functional, prefix=f"{prefix}{model.name}.", is_untrained=is_untrained)
        for inner, outer in zip(functional.outputs, told, strict=True):
            self.places[id(outer)] = self.places[id(inner)]


def with_constant(shape: tuple[int, ...]) -> str:
    """Why a call with an array is refused."""
    return f"is called with a constant, of shape {shape}: here it takes only what other layers give"


def _constants(given: Any, symbolic: set[int]) -> Iterator[tuple[int, ...]]:
    """Shapes of the arrays among what a layer is called with, which are none of these tensors."""
    if isinstance(given, dict):
        given = list(cast("dict[str, Any]", given).values())
    if isinstance(given, (list, tuple)):
        for each in cast("Sequence[Any]", given):
            yield from _constants(each, symbolic)
    elif hasattr(given, "shape") and hasattr(given, "dtype") and id(given) not in symbolic:
        yield tuple(given.shape)


def _looked_at(args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Query, value and key of an attention; the key only if it is not the value, the query alone if all are it."""
    given = {**kwargs, **dict(zip(("query", "value", "key", "attention_mask"), args, strict=False))}
    query, value = given["query"], given["value"]
    key = value if given.get("key") is None else given["key"]
    mask = [] if given.get("attention_mask") is None else [given["attention_mask"]] * 3
    if query is value is key:
        return [query, *mask]
    return [query, value, *([] if key is value else [key]), *mask]
