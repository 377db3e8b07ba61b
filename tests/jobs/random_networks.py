"""Random networks that are valid, over every kind of layer: small, so that they are built and trained fast."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from jobs.datasets import DatasetInfo, Kind, Target
from jobs.layers.base import Shape, Unfit
from jobs.layers.catalogue import KINDS

Json = dict[str, Any]
Fed = Literal["images", "sequences", "rows", "ids"]

MOST_VALUES = 600
"""Of an example, that a layer of these networks gives."""
ALWAYS = frozenset({"dense", "flatten", "concatenate"})
"""Kinds that every network may need to end in one vector."""
SMOOTH = ["linear", "relu", "tanh", "sigmoid", "elu", "silu", "softplus", "gelu", "leaky_relu", "swish", "hard_sigmoid"]
MERGES = ("add", "subtract", "multiply", "average", "maximum", "minimum")


def random_network(
    seed: int, *, kinds: Collection[str] | None = None, fed: Fed | None = None, most_layers: int = 9
) -> tuple[Json, DatasetInfo]:
    """A model of the type `layers` for a spec, and a dataset that it fits: the same for the same arguments.

    `kinds` are those that it may have beside dense, flatten and concatenate; all without them. `fed` says what its
    examples are. About so many layers, and a few that join its ends.
    """
    rng = Random(seed)
    allowed = frozenset(KINDS if kinds is None else kinds) | ALWAYS
    inputs: list[Fed] = [
        each for each in ("images", "sequences", "rows", "ids") if each != "ids" or "embedding" in allowed
    ]
    dataset = _dataset(rng, fed or rng.choice(inputs))
    draft = _Draft(rng, allowed, dataset)
    for _ in range(rng.randint(1, most_layers)):
        draft.grow()
    return {"type": "layers", "layers": draft.ended()}, dataset


def _dataset(rng: Random, fed: Fed) -> DatasetInfo:
    kind: Kind
    match fed:
        case "images":
            kind, shape = "images", (rng.randint(5, 9), rng.randint(5, 9), rng.choice([1, 3, 4]))
        case "sequences":
            kind, shape = "arrays", (rng.randint(4, 8), rng.choice([2, 3, 4]))
        case "rows":
            kind, shape = "table" if rng.random() < 0.5 else "arrays", (rng.randint(2, 9),)
        case "ids":
            kind, shape = "arrays", rng.choice([(rng.randint(3, 7),), (3, 2)])
    classes = tuple("abcd"[: rng.randint(2, 4)]) if rng.random() < 0.7 else ()
    targets = () if classes else tuple(Target(f"t{n}", 1.0 * n, 2.0) for n in range(rng.randint(1, 3)))
    return DatasetInfo(
        name=fed,
        kind=kind,
        shape=shape,
        classes=classes,
        targets=targets,
        train_examples=48,
        test_examples=16,
        array_dtype=rng.choice(["uint8", "float32"]) if fed == "ids" else "float32",
    )


@dataclass
class _Draft:
    rng: Random
    allowed: frozenset[str]
    dataset: DatasetInfo
    layers: list[Json] = field(default_factory=list[Json])
    shapes: dict[str, Shape] = field(default_factory=dict[str, Shape])
    """Of what each layer gives, by its name, in their order."""
    ends: list[str] = field(default_factory=list[str])
    """Layers that nothing takes yet."""

    @property
    def _takes_ids(self) -> bool:
        return self.dataset.name == "ids"

    def grow(self) -> None:
        """One layer more, if any is found that fits."""
        for _ in range(20):
            taken = self._place()
            fitting = sorted(kind for kind in self.allowed if self._fits(kind, taken))
            kind = self.rng.choice(fitting)
            inputs = (taken, *self._others(kind, taken))
            parameters = _parameters(self.rng, kind, [self._shape(name) for name in inputs])
            if parameters is not None and self._add(kind, parameters, inputs):
                return

    def _place(self) -> str:
        """What the next layer takes: mostly an end, at times any layer, for a branch."""
        if not self.ends:
            return "input"
        if self.rng.random() < 0.75:
            return self.rng.choice(self.ends)
        return self.rng.choice([*self.shapes, "input"])

    def _fits(self, kind: str, taken: str) -> bool:
        is_lookup = taken == "input" and self._takes_ids
        return is_lookup if kind == "embedding" else not is_lookup

    def _shape(self, name: str) -> Shape:
        return self.dataset.shape if name == "input" else self.shapes[name]

    def _others(self, kind: str, taken: str) -> tuple[str, ...]:
        """Further inputs."""
        fewest, most = KINDS[kind].takes
        known = [*self.shapes] if self._takes_ids else [*self.shapes, "input"]
        alike = [name for name in known if len(self._shape(name)) == len(self._shape(taken))]
        wanted = 1 if kind == "subtract" else self.rng.randint(fewest - 1, min(most, 3) - 1)
        return tuple(self.rng.choice(alike or [taken]) for _ in range(wanted))

    def _add(
        self, kind: str, parameters: Mapping[str, Any], inputs: tuple[str, ...], *, most_values: float = MOST_VALUES
    ) -> bool:
        try:
            shape = KINDS[kind].model_validate({"type": kind, **parameters}).output([self._shape(n) for n in inputs])
        except Unfit:
            return False
        if math.prod(shape) > most_values:
            return False
        layer: Json = {"type": kind, **parameters}
        name = f"{kind}_{len(self.layers) + 1}"
        if self.rng.random() < 0.4:
            name = layer["name"] = self.rng.choice(["a", "Block.", "x-y_"]) + str(len(self.layers) + 1)
        before = next(reversed(self.shapes)) if self.shapes else "input"
        if inputs != (before,) or self.rng.random() < 0.3:
            layer["inputs"] = list(inputs)
        self.layers.append(layer)
        self.shapes[name] = shape
        self.ends = [*(end for end in self.ends if end not in inputs), name]
        return True

    def ended(self) -> list[Json]:
        """The layers, with those that make of all ends what the dataset asks for."""
        if not self.ends and self._takes_ids:
            assert self._add("embedding", {"input_dim": 300, "output_dim": 2}, ("input",))
        flat = [self._flat(end) for end in self.ends or ["input"]]
        if len(flat) > 1:
            assert self._add("concatenate", {}, tuple(flat), most_values=math.inf)
            flat = self.ends
        units = {"units": self.dataset.outputs} if self.rng.random() < 0.5 else {}
        self.layers.append({"type": "dense", "name": "output", "inputs": [flat[0]], **units})
        return self.layers

    def _flat(self, end: str) -> str:
        if len(self._shape(end)) == 1:
            return end
        assert self._add("flatten", {}, (end,))
        return next(reversed(self.shapes))


def _parameters(rng: Random, kind: str, shapes: list[Shape]) -> Json | None:  # noqa: PLR0911, PLR0912, PLR0915 (a kind each)
    """Of a layer that takes such inputs; None where none fit."""
    shape = shapes[0]
    axes = len(shape)
    is_one_or_two = axes in (2, 3)

    def sides(most: int) -> Any:
        return rng.randint(1, most) if axes == 2 or rng.random() < 0.5 else [rng.randint(1, most), rng.randint(1, most)]

    match kind:
        case "dense":
            return {"units": rng.randint(1, 8)} | _dense_like(rng, "kernel")
        case "conv1d" if axes == 2:
            padding = rng.choice(["valid", "same", "causal"])
            strided = {"strides": rng.randint(1, 2)} if rng.random() < 0.5 else {"dilation_rate": rng.randint(1, 2)}
            groups = {"groups": shape[-1], "filters": shape[-1] * rng.randint(1, 2)} if rng.random() < 0.15 else {}
            base = {"filters": rng.randint(1, 5), "kernel_size": rng.randint(1, 3), "padding": padding}
            return base | strided | groups | _dense_like(rng, "kernel")
        case "conv2d" | "conv2d_transpose" if axes == 3:
            strided = {"strides": sides(2)} if rng.random() < 0.5 else {"dilation_rate": sides(2)}
            if kind == "conv2d_transpose" and "dilation_rate" in strided and rng.random() < 0.5:
                strided = {}
            groups = {}
            if kind == "conv2d" and rng.random() < 0.15:
                groups = {"groups": shape[-1], "filters": shape[-1] * rng.randint(1, 2)}
            base = {"filters": rng.randint(1, 5), "kernel_size": sides(3), "padding": rng.choice(["valid", "same"])}
            return base | strided | groups | _dense_like(rng, "kernel")
        case "depthwise_conv2d" | "separable_conv2d" if axes == 3:
            strided = {"strides": rng.randint(1, 2)} if rng.random() < 0.5 else {"dilation_rate": sides(2)}
            base = {
                "kernel_size": sides(3),
                "padding": rng.choice(["valid", "same"]),
                "depth_multiplier": rng.randint(1, 2),
            }
            filters = {"filters": rng.randint(1, 5)} if kind == "separable_conv2d" else {}
            return base | strided | filters | _dense_like(rng, "depthwise")
        case "max_pooling" | "average_pooling" if is_one_or_two:
            strides = {"strides": sides(2)} if rng.random() < 0.5 else {}
            return {"pool_size": sides(3), "padding": rng.choice(["valid", "same"])} | strides
        case "global_max_pooling" | "global_average_pooling" if is_one_or_two:
            return rng.choice([{}, {"keepdims": True}])
        case "flatten" if axes > 1:
            return {}
        case "reshape":
            return {"target_shape": _target(rng, math.prod(shape))}
        case "permute":
            return {"dims": rng.sample(range(1, axes + 1), axes)}
        case "zero_padding" if is_one_or_two:
            return {"padding": _edges(rng, axes)}
        case "cropping" if is_one_or_two:
            return {"cropping": _edges(rng, axes)}
        case "up_sampling" if is_one_or_two:
            return {"size": sides(2)} | ({"interpolation": "bilinear"} if axes == 3 and rng.random() < 0.5 else {})
        case "dropout":
            return {"rate": rng.choice([0.0, 0.2, 0.5])}
        case "spatial_dropout" if is_one_or_two:
            return {"rate": rng.choice([0.0, 0.3])}
        case "gaussian_noise":
            return {"stddev": rng.choice([0.0, 0.1])}
        case "batch_normalization":
            return {"momentum": rng.choice([0.9, 0.99])} | _scaled(rng)
        case "layer_normalization":
            return _scaled(rng)
        case "group_normalization":
            return {"groups": rng.choice([-1, 1, shape[-1]])} | _scaled(rng)
        case "activation":
            return {"activation": rng.choice([*SMOOTH, "softmax"])} | rng.choice([{}, {}])
        case _ if kind in MERGES:
            return {}
        case "concatenate":
            return {"axis": rng.choice([*range(1, axes + 1), *range(-axes, 0)])}
        case "embedding":
            return {"input_dim": rng.choice([256, 300]), "output_dim": rng.randint(1, 4)}
        case "lstm" | "gru" | "simple_rnn" if axes == 2:
            return _recurrence(rng, kind)
        case "bidirectional" if axes == 2:
            inner = rng.choice(["lstm", "gru", "simple_rnn"])
            layer = {"type": inner} | _recurrence(rng, inner) | {"go_backwards": False}
            return {"layer": layer, "merge_mode": rng.choice(["concat", "sum", "mul", "ave"])}
        case "multi_head_attention" if axes == 2:
            base = {"num_heads": rng.randint(1, 3), "key_dim": rng.randint(1, 4), "dropout": rng.choice([0.0, 0.2])}
            wide = {"value_dim": rng.randint(1, 4)} if rng.random() < 0.5 else {}
            return base | wide | rng.choice([{}, {"use_bias": False}, {"use_causal_mask": True}])
        case _:
            return None


def _dense_like(rng: Random, kernel: str) -> Json:
    first = rng.choice(
        ["glorot_uniform", "he_normal", "orthogonal", {"type": "random_uniform", "minval": -0.2, "maxval": 0.3}]
    )
    return {
        "activation": rng.choice(SMOOTH),
        **({} if rng.random() < 0.7 else {"use_bias": False}),
        **({f"{kernel}_initializer": first} if rng.random() < 0.5 else {}),
        **({f"{kernel}_regularizer": {"l2": 0.001}} if rng.random() < 0.2 else {}),
        **({"bias_initializer": {"type": "constant", "value": 0.1}} if rng.random() < 0.2 else {}),
    }


def _scaled(rng: Random) -> Json:
    return rng.choice(
        [{}, {}, {"center": False}, {"scale": False}, {"center": False, "scale": False}, {"epsilon": 0.01}]
    )


def _recurrence(rng: Random, kind: str) -> Json:
    own: Json = {}
    if kind == "lstm":
        own = rng.choice([{}, {"unit_forget_bias": False}, {"recurrent_activation": "hard_sigmoid"}])
    if kind == "gru":
        own = rng.choice([{}, {"reset_after": False}])
    return {
        "units": rng.randint(1, 5),
        "return_sequences": rng.random() < 0.5,
        **rng.choice([{}, {"go_backwards": True}]),
        **rng.choice([{}, {}, {"dropout": 0.2}, {"recurrent_dropout": 0.2}]),
        **rng.choice([{}, {}, {"use_bias": False}]),
        **rng.choice([{}, {}, {"activation": "relu"}]),
        **own,
    }


def _target(rng: Random, size: int) -> list[int]:
    """A shape of so many values, perhaps with one axis left open."""
    target: list[int] = []
    for _ in range(rng.randint(0, 2)):
        side = rng.choice([side for side in range(1, size + 1) if size % side == 0])
        target.append(side)
        size //= side
    target.append(size)
    rng.shuffle(target)
    if rng.random() < 0.5:
        target[rng.randrange(len(target))] = -1
    return target


def _edges(rng: Random, axes: int) -> Any:
    def two() -> list[int]:
        return [rng.randint(0, 2), rng.randint(0, 2)]

    forms = [rng.randint(0, 1), two()]
    return rng.choice(forms if axes == 2 else [*forms, [two(), two()]])
