"""Layers that look at each place's neighbourhood."""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from jobs.layers.activations import Activation, maps, terms
from jobs.layers.base import Cost, Layer, Shape, Unfit, Weight, total
from jobs.layers.initializers import Initializer
from jobs.layers.regularizers import Penalty
from jobs.layers.windows import Padding, Side, Sides, check_dilation, image, reach, sequence, slid

Filters = Annotated[int, Field(ge=1, le=8192, description="Channels that it gives.", examples=[32])]
Groups = Annotated[int, Field(ge=1, le=8192, description="Parts of the channels that are convolved by themselves.")]
Multiplier = Annotated[int, Field(ge=1, le=64, description="Channels that become of each one.")]
Window = Annotated[Sides, Field(description="Height and width of the window, or one for both.", examples=[3])]
Strides = Annotated[Sides, Field(description="Steps of the window.", examples=[1])]
Dilation = Annotated[Sides, Field(description="Distance of the window's values.", examples=[1])]
Edge = Annotated[Padding, Field(description="`same`: zeros around it, so that strides alone make it smaller.")]


def pair(sides: int | tuple[int, int]) -> tuple[int, int]:
    """Along height and width."""
    return (sides, sides) if isinstance(sides, int) else sides


class Convolution(Layer):
    """What all have in common."""

    activation: Annotated[Activation, Field(description="Non-linearity, by Keras' name.")] = "linear"
    use_bias: Annotated[bool, Field(description="Whether each channel that it gives has a bias.")] = True
    bias_initializer: Annotated[Initializer, Field(description="First values of the bias.")] = "zeros"
    bias_regularizer: Annotated[Penalty, Field(description="What a large bias costs.")] = None

    is_convolution: ClassVar[bool] = True

    def with_bias(self, kernels: tuple[Weight, ...], channels: int) -> tuple[Weight, ...]:
        """The kernels, and a bias [channels] where there is one."""
        bias = Weight("bias", (channels,), self.bias_initializer, self.bias_regularizer)
        return (*kernels, bias) if self.use_bias else kernels

    def cost_of(self, inputs: Sequence[Shape], *, products: int, between: int = 0) -> Cost:
        """That of so many products, and so many values in between."""
        size = math.prod(self.output(inputs))
        return Cost(
            products=products,
            kept=size * (1 + terms(self.activation)) + between,
            working=2 * size + between + total(inputs),
            evaluated=size * maps(self.activation) + between,
        )


class _Kernel(Convolution):
    """With one kernel."""

    kernel_initializer: Annotated[Initializer, Field(description="First values of the kernel.")] = "glorot_uniform"
    kernel_regularizer: Annotated[Penalty, Field(description="What large kernels cost.")] = None

    def kernel(self, *shape: int) -> Weight:
        """Of that shape."""
        return Weight("kernel", shape, self.kernel_initializer, self.kernel_regularizer)


def _lacking(groups: int) -> set[str]:
    # TensorFlow computes groups on a CPU in a function that XLA compiles, and ONNX has no such thing.
    return {"onnx"} if groups > 1 else set()


def _check_groups(groups: int, *, channels: int, filters: int) -> None:
    if channels % groups or filters % groups:
        raise Unfit(
            f"has {groups} groups, of which neither {channels:,} channels nor {filters:,} filters may leave a rest",
            field="groups",
        )


class Conv1D(_Kernel):
    """Convolution of sequences [steps, features]."""

    type: Literal["conv1d"] = "conv1d"
    filters: Filters
    kernel_size: Annotated[Side, Field(description="Steps of the window.", examples=[3])]
    strides: Annotated[Side, Field(description="Steps from one place of the window to the next.")] = 1
    padding: Annotated[
        Literal["valid", "same", "causal"],
        Field(
            description="`same`: zeros around it, so that strides alone make it shorter; `causal`: zeros before it, so "
            "that no step sees later ones."
        ),
    ] = "valid"
    dilation_rate: Annotated[Side, Field(description="Distance of the window's values.")] = 1
    groups: Groups = 1

    @property
    def formats(self) -> frozenset[str]:
        """No ONNX with groups."""
        return super().formats - _lacking(self.groups)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(steps, filters)."""
        steps = sequence(inputs[0])
        check_dilation((self.strides,), (self.dilation_rate,))
        _check_groups(self.groups, channels=inputs[0][-1], filters=self.filters)
        window = reach((self.kernel_size,), (self.dilation_rate,))
        return (*slid(steps, window, (self.strides,), padding=self.padding), self.filters)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """kernel [window, features / groups, filters], bias [filters]."""
        kernel = self.kernel(self.kernel_size, inputs[0][-1] // self.groups, self.filters)
        return self.with_bias((kernel,), self.filters)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """The window's product at each place; causal ones are computed of a padded copy."""
        products = math.prod(self.output(inputs)) * self.kernel_size * (inputs[0][-1] // self.groups)
        padded = (inputs[0][0] + self.kernel_size * self.dilation_rate) * inputs[0][-1]
        return self.cost_of(inputs, products=products, between=padded if self.padding == "causal" else 0)


class Conv2D(_Kernel):
    """Convolution of images [height, width, channels]."""

    type: Literal["conv2d"] = "conv2d"
    filters: Filters
    kernel_size: Window
    strides: Strides = 1
    padding: Edge = "valid"
    dilation_rate: Dilation = 1
    groups: Groups = 1

    @property
    def formats(self) -> frozenset[str]:
        """No ONNX with groups."""
        return super().formats - _lacking(self.groups)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(height, width, filters)."""
        sides = image(inputs[0])
        strides, dilation = pair(self.strides), pair(self.dilation_rate)
        check_dilation(strides, dilation)
        _check_groups(self.groups, channels=inputs[0][-1], filters=self.filters)
        return (*slid(sides, reach(pair(self.kernel_size), dilation), strides, padding=self.padding), self.filters)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """kernel [height, width, channels / groups, filters], bias [filters]."""
        kernel = self.kernel(*pair(self.kernel_size), inputs[0][-1] // self.groups, self.filters)
        return self.with_bias((kernel,), self.filters)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """The window's product at each place."""
        window = math.prod(pair(self.kernel_size)) * (inputs[0][-1] // self.groups)
        return self.cost_of(inputs, products=math.prod(self.output(inputs)) * window)


class Conv2DTranspose(_Kernel):
    """The transposed of a convolution of images: strides make them larger (Zeiler et al. 2010)."""

    type: Literal["conv2d_transpose"] = "conv2d_transpose"
    filters: Filters
    kernel_size: Window
    strides: Strides = 1
    padding: Annotated[Padding, Field(description="`same`: an image `strides` times as large.")] = "valid"
    dilation_rate: Dilation = 1

    @property
    def formats(self) -> frozenset[str]:
        """No TensorFlow Lite with a dilated window, no ONNX with one that leaves gaps."""
        lacking: set[str] = set()
        if pair(self.dilation_rate) != (1, 1):
            lacking |= {"tflite", "tflite_int8"}  # it has no such operation
        if any(stride > side for stride, side in zip(pair(self.strides), pair(self.kernel_size), strict=True)):
            lacking |= {"onnx"}  # its padding may not be negative, and tf2onnx makes it so
        return super().formats - lacking

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(height, width, filters)."""
        sides = image(inputs[0])
        strides, dilation = pair(self.strides), pair(self.dilation_rate)
        check_dilation(strides, dilation)
        window = reach(pair(self.kernel_size), dilation)
        places = (
            length * stride if self.padding == "same" else (length - 1) * stride + max(side, stride)
            for length, side, stride in zip(sides, window, strides, strict=True)
        )
        return (*places, self.filters)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """kernel [height, width, filters, channels], bias [filters]."""
        return self.with_bias((self.kernel(*pair(self.kernel_size), self.filters, inputs[0][-1]),), self.filters)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """The window's product at each place of what comes in."""
        window = math.prod(pair(self.kernel_size)) * self.filters
        return self.cost_of(inputs, products=math.prod(inputs[0]) * window)


class _Depthwise(Convolution):
    """Each channel of an image by itself."""

    kernel_size: Window
    strides: Annotated[Strides, Field(description="Steps of the window: the same along both axes.")] = 1
    padding: Edge = "valid"
    depth_multiplier: Multiplier = 1
    dilation_rate: Dilation = 1
    depthwise_initializer: Annotated[Initializer, Field(description="First values of the channels' kernels.")] = (
        "glorot_uniform"
    )
    depthwise_regularizer: Annotated[Penalty, Field(description="What large ones of these cost.")] = None

    def places(self, shape: Shape) -> Shape:
        """(height, width) of what it gives."""
        sides = image(shape)
        strides, dilation = pair(self.strides), pair(self.dilation_rate)
        if strides[0] != strides[1]:
            raise Unfit("has two different strides: TensorFlow takes the same along both axes alone", field="strides")
        check_dilation(strides, dilation)
        return slid(sides, reach(pair(self.kernel_size), dilation), strides, padding=self.padding)

    def depthwise(self, name: str, channels: int) -> Weight:
        """[height, width, channels, multiplier]."""
        shape = (*pair(self.kernel_size), channels, self.depth_multiplier)
        return Weight(name, shape, self.depthwise_initializer, self.depthwise_regularizer)


class DepthwiseConv2D(_Depthwise):
    """Convolution of each channel of an image by itself."""

    type: Literal["depthwise_conv2d"] = "depthwise_conv2d"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(height, width, channels · depth_multiplier)."""
        return (*self.places(inputs[0]), inputs[0][-1] * self.depth_multiplier)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """kernel [height, width, channels, depth_multiplier], bias."""
        channels = inputs[0][-1]
        return self.with_bias((self.depthwise("kernel", channels),), channels * self.depth_multiplier)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """The window's product at each place of each channel."""
        return self.cost_of(inputs, products=math.prod(self.output(inputs)) * math.prod(pair(self.kernel_size)))


class SeparableConv2D(_Depthwise):
    """Convolution of each channel of an image by itself, then of the channels at each place (Chollet 2017)."""

    type: Literal["separable_conv2d"] = "separable_conv2d"
    filters: Filters
    pointwise_initializer: Annotated[Initializer, Field(description="First values of the kernel of the channels.")] = (
        "glorot_uniform"
    )
    pointwise_regularizer: Annotated[Penalty, Field(description="What a large one costs.")] = None

    def output(self, inputs: Sequence[Shape]) -> Shape:
        """(height, width, filters)."""
        return (*self.places(inputs[0]), self.filters)

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        """depthwise_kernel, pointwise_kernel [1, 1, channels · depth_multiplier, filters], bias [filters]."""
        channels = inputs[0][-1]
        pointwise = Weight(
            "pointwise_kernel",
            (1, 1, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            self.pointwise_regularizer,
        )
        return self.with_bias((self.depthwise("depthwise_kernel", channels), pointwise), self.filters)

    def cost(self, inputs: Sequence[Shape]) -> Cost:
        """Both products."""
        between = math.prod(self.places(inputs[0])) * inputs[0][-1] * self.depth_multiplier
        products = between * (math.prod(pair(self.kernel_size)) + self.filters)
        return self.cost_of(inputs, products=products, between=between)
