"""Where a weight's first values come from."""

from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from jobs.frozen import Frozen

Spread = Annotated[float, Field(gt=0.0, le=1e3)]


class Zeros(Frozen):
    """All 0."""

    type: Literal["zeros"] = "zeros"


class Ones(Frozen):
    """All 1."""

    type: Literal["ones"] = "ones"


class ConstantValue(Frozen):
    """All the same."""

    type: Literal["constant"] = "constant"
    value: Annotated[float, Field(ge=-1e6, le=1e6, description="That value.", examples=[0.1])] = 0.0


class RandomUniform(Frozen):
    """Uniform between two bounds."""

    type: Literal["random_uniform"] = "random_uniform"
    minval: Annotated[float, Field(ge=-1e3, le=1e3, description="Lower bound.")] = -0.05
    maxval: Annotated[float, Field(ge=-1e3, le=1e3, description="Upper bound.")] = 0.05

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minval > self.maxval:
            raise ValueError(f"minval {self.minval:g} is above maxval {self.maxval:g}")
        return self


class RandomNormal(Frozen):
    """Normal."""

    type: Literal["random_normal"] = "random_normal"
    mean: Annotated[float, Field(ge=-1e3, le=1e3, description="Mean.")] = 0.0
    stddev: Annotated[Spread, Field(description="Standard deviation.")] = 0.05


class TruncatedNormal(Frozen):
    """Normal, without what is farther from the mean than two standard deviations."""

    type: Literal["truncated_normal"] = "truncated_normal"
    mean: Annotated[float, Field(ge=-1e3, le=1e3, description="Mean.")] = 0.0
    stddev: Annotated[Spread, Field(description="Standard deviation before the cut.")] = 0.05


class VarianceScaling(Frozen):
    """Variance `scale` over the inputs or outputs of a value (after Keras, which has it from He et al. 2015)."""

    type: Literal["variance_scaling"] = "variance_scaling"
    scale: Annotated[Spread, Field(description="Variance times their number.")] = 1.0
    mode: Annotated[Literal["fan_in", "fan_out", "fan_avg"], Field(description="Over which.")] = "fan_in"
    distribution: Annotated[
        Literal["truncated_normal", "untruncated_normal", "uniform"], Field(description="Of the values.")
    ] = "truncated_normal"


class Orthogonal(Frozen):
    """An orthogonal matrix, times `gain` (Saxe et al. 2014)."""

    type: Literal["orthogonal"] = "orthogonal"
    gain: Annotated[Spread, Field(description="Factor.")] = 1.0


class FanInUniform(Frozen):
    """Uniform in ±1/√inputs (after LeCun et al. 1998): that of the models `softmax`, `mlp` and `cnn`."""

    type: Literal["fan_in_uniform"] = "fan_in_uniform"


Named = Literal[
    "zeros",
    "ones",
    "random_uniform",
    "random_normal",
    "truncated_normal",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "fan_in_uniform",
]
"""Initializers by name alone, with Keras' defaults."""
Described = Annotated[
    Zeros
    | Ones
    | ConstantValue
    | RandomUniform
    | RandomNormal
    | TruncatedNormal
    | VarianceScaling
    | Orthogonal
    | FanInUniform,
    Field(discriminator="type"),
]


def _form(given: Any) -> str:
    return "[name]" if isinstance(given, str) else "[described]"


def _named(given: Any) -> Any:
    """An initializer that is written as an object with nothing but its type, as others write it: its name."""
    written = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    kind = written.get("type")
    return kind if len(written) == 1 and isinstance(kind, str) and kind in _BY_NAME else cast("Any", given)


Initializer = Annotated[
    Annotated[Named, Tag("[name]")] | Annotated[Described, Tag("[described]")],
    Discriminator(_form),
    BeforeValidator(_named),
]

_UNIFORM, _NORMAL = "uniform", "truncated_normal"
_BY_NAME: dict[str, Described] = {
    "zeros": Zeros(),
    "ones": Ones(),
    "random_uniform": RandomUniform(),
    "random_normal": RandomNormal(),
    "truncated_normal": TruncatedNormal(),
    "glorot_uniform": VarianceScaling(scale=1.0, mode="fan_avg", distribution=_UNIFORM),
    "glorot_normal": VarianceScaling(scale=1.0, mode="fan_avg", distribution=_NORMAL),
    "he_uniform": VarianceScaling(scale=2.0, mode="fan_in", distribution=_UNIFORM),
    "he_normal": VarianceScaling(scale=2.0, mode="fan_in", distribution=_NORMAL),
    "lecun_uniform": VarianceScaling(scale=1.0, mode="fan_in", distribution=_UNIFORM),
    "lecun_normal": VarianceScaling(scale=1.0, mode="fan_in", distribution=_NORMAL),
    "orthogonal": Orthogonal(),
    "fan_in_uniform": FanInUniform(),
}
CONSTANTS = (Zeros, Ones, ConstantValue)
"""Those that draw nothing."""


def described(initializer: Initializer) -> Described:
    """What a name stands for."""
    return _BY_NAME[initializer] if isinstance(initializer, str) else initializer
