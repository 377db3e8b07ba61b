"""Layers that go through a sequence step by step."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from jobs.frozen import Frozen
from jobs.layers.activations import Activation
from jobs.layers.base import FORMATS, Cost, Layer, Shape, Unfit, Weight, total
from jobs.layers.initializers import Initializer
from jobs.layers.noise import Rate
from jobs.layers.regularizers import Penalty
from jobs.layers.windows import sequence

NOT_IN_ONNX = frozenset({"gelu", "celu"})
"""Activations that become operations that ONNX lacks; of other layers the exports write them out."""


class _Recurrence(Frozen):
    """What a sequence [steps, features] becomes step by step: its last state, or all of them."""

    type: Any
    units: Annotated[int, Field(ge=1, le=8192, description="Values of its state.", examples=[32])]
    activation: Annotated[Activation, Field(description="Non-linearity of the state, by Keras' name.")] = "tanh"
    use_bias: Annotated[bool, Field(description="Whether it has biases.")] = True
    return_sequences: Annotated[bool, Field(description="Whether it gives its state after each step.")] = False
    go_backwards: Annotated[bool, Field(description="Whether it begins at the last step.")] = False
    dropout: Annotated[Rate, Field(description="Share of what comes in that is dropped in training.")] = 0.0
    recurrent_dropout: Annotated[Rate, Field(description="Share of the state that is dropped in training.")] = 0.0
    kernel_initializer: Annotated[Initializer, Field(description="First values of the kernel.")] = "glorot_uniform"
    recurrent_initializer: Annotated[Initializer, Field(description="First values of the state's kernel.")] = (
        "orthogonal"
    )
    bias_initializer: Annotated[Initializer, Field(description="First values of the biases.")] = "zeros"
    kernel_regularizer: Annotated[Penalty, Field(description="What a large kernel costs.")] = None
    recurrent_regularizer: Annotated[Penalty, Field(description="What a large kernel of the state costs.")] = None
    bias_regularizer: Annotated[Penalty, Field(description="What large biases cost.")] = None

    gates: ClassVar[int] = 1
    """Products of a step, beside each other."""
    formats_of_cells: ClassVar[frozenset[str]] = FORMATS - {"tflite", "tflite_int8"}
    """TensorFlow Lite's own operations have no lists of steps for batches of any size."""
    kept_a_step: ClassVar[int] = 4
    """Arrays as large as the state that a step keeps for backward."""

    @property
    def cell_formats(self) -> frozenset[str]:
        """Formats in which they can leave."""
        inner = {self.activation, getattr(self, "recurrent_activation", "linear")}
        return self.formats_of_cells - ({"onnx"} if inner & NOT_IN_ONNX else set[str]())

    def state_shape(self, shape: Shape) -> Shape:
        """Of what it gives."""
        (steps,) = sequence(shape)
        return (steps, self.units) if self.return_sequences else (self.units,)

    def cell_weights(self, shape: Shape) -> tuple[Weight, ...]:
        """kernel [features, gates · units], recurrent_kernel [units, gates · units], bias [gates · units]."""
        width = self.gates * self.units
        weights = (
            Weight("kernel", (shape[-1], width), self.kernel_initializer, self.kernel_regularizer),
            Weight("recurrent_kernel", (self.units, width), self.recurrent_initializer, self.recurrent_regularizer),
            self.bias(width),
        )
        return tuple(
            replace(weight, name=f"{self.type}_cell/{weight.name}") for weight in weights[: 3 if self.use_bias else 2]
        )

    def bias(self, width: int) -> Weight:
        """Of the gates."""
        return Weight("bias", (width,), self.bias_initializer, self.bias_regularizer)

    def cell_cost(self, shape: Shape) -> Cost:
        """Its steps."""
        steps, features = shape
        a_step = self.units * (self.kept_a_step + self.gates)
        return Cost(
            products=steps * self.gates * self.units * (features + self.units),
            kept=steps * (a_step + 2 * features),
            working=steps * (self.gates * self.units + 2 * features) + 2 * a_step,
            evaluated=steps * (self.gates * self.units + self.units + 2 * features) + 2 * a_step,
        )


class LSTMCells(_Recurrence):
    """Long short-term memory (Hochreiter and Schmidhuber 1997)."""

    type: Literal["lstm"] = "lstm"
    recurrent_activation: Annotated[Activation, Field(description="Non-linearity of the gates.")] = "sigmoid"
    unit_forget_bias: Annotated[bool, Field(description="Whether the forget gate's bias begins at 1.")] = True

    gates: ClassVar[int] = 4
    kept_a_step: ClassVar[int] = 18

    def bias(self, width: int) -> Weight:
        """Of the gates: input, forget, cell, output."""
        ones = (self.units, 2 * self.units) if self.unit_forget_bias else None
        return Weight("bias", (width,), self.bias_initializer, self.bias_regularizer, ones=ones)


class GRUCells(_Recurrence):
    """A gated recurrent unit (Cho et al. 2014)."""

    type: Literal["gru"] = "gru"
    recurrent_activation: Annotated[Activation, Field(description="Non-linearity of the gates.")] = "sigmoid"
    reset_after: Annotated[bool, Field(description="Whether the reset gate acts after the state's product.")] = True

    gates: ClassVar[int] = 3
    kept_a_step: ClassVar[int] = 16

    def bias(self, width: int) -> Weight:
        """Of the gates: [gates · units], or [2, gates · units] with `reset_after`."""
        shape = (2, width) if self.reset_after else (width,)
        return Weight("bias", shape, self.bias_initializer, self.bias_regularizer)


class SimpleRNNCells(_Recurrence):
    """activation(x·W + state·U + b) (Elman 1990)."""

    type: Literal["simple_rnn"] = "simple_rnn"

    kept_a_step: ClassVar[int] = 5


class _Recurrent(_Recurrence, Layer):
    """A recurrence as a layer by itself."""

    @property
    def formats(self) -> frozenset[str]:
        """Those of its cells."""
        return self.cell_formats

    @property
    def is_random(self) -> bool:
        """Where it drops."""
        return self.dropout > 0 or self.recurrent_dropout > 0

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(units,), or (steps, units) with `return_sequences`."""
        return self.state_shape(inputs[0])

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """Those of its cell."""
        return self.cell_weights(inputs[0])

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Its steps."""
        return self.cell_cost(inputs[0])


class LSTM(LSTMCells, _Recurrent):
    """Long short-term memory over sequences [steps, features] (Hochreiter and Schmidhuber 1997)."""


class GRU(GRUCells, _Recurrent):
    """A gated recurrent unit over sequences [steps, features] (Cho et al. 2014)."""


class SimpleRNN(SimpleRNNCells, _Recurrent):
    """activation(x·W + state·U + b) over sequences [steps, features] (Elman 1990)."""


class Bidirectional(Layer):
    """A recurrent layer that goes through a sequence from the front, and one like it from the back (Schuster and
    Paliwal 1997)."""

    type: Literal["bidirectional"] = "bidirectional"
    layer: Annotated[
        LSTMCells | GRUCells | SimpleRNNCells,
        Field(
            discriminator="type",
            description="`lstm`, `gru` or `simple_rnn`, without name and inputs.",
            examples=[{"type": "lstm", "units": 32}],
        ),
    ]
    merge_mode: Annotated[
        Literal["concat", "sum", "mul", "ave"], Field(description="What becomes of what both give.")
    ] = "concat"

    @property
    def formats(self) -> frozenset[str]:
        """Those of the layer's cells."""
        return self.layer.cell_formats

    @property
    def is_random(self) -> bool:
        """Where they drop."""
        return self.layer.dropout > 0 or self.layer.recurrent_dropout > 0

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """The layer's, twice as wide where both are concatenated."""
        if self.layer.go_backwards:
            raise Unfit("has a layer that goes backwards: one goes either way as it is", field="layer/go_backwards")
        *front, width = self.layer.state_shape(inputs[0])
        return (*front, 2 * width if self.merge_mode == "concat" else width)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """Those of the layer from the front, then those of that from the back."""
        return tuple(
            replace(weight, name=f"{way}_{self.layer.type}/{weight.name}")
            for way in ("forward", "backward")
            for weight in self.layer.cell_weights(inputs[0])
        )

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Both, and what becomes of them."""
        one, size = self.layer.cell_cost(inputs[0]), math.prod(self.output(inputs))
        return Cost(
            products=2 * one.products,
            kept=2 * one.kept + 2 * size,
            working=2 * one.working + 2 * size + total(inputs),
            evaluated=2 * one.evaluated + 2 * size,
        )
