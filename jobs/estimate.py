"""What a job will need, computed from its spec alone."""

import math
from dataclasses import dataclass
from itertools import pairwise

from jobs.datasets import DatasetInfo
from jobs.spec import CNN, MLP, Spec


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sizes of a job."""

    parameters: int
    """Trained values."""
    train_images: int
    """Images per epoch, those held out for validation taken off."""
    validation_images: int
    """Images held out; 0 when validation happens on the test images."""
    steps_per_epoch: int
    steps: int
    """Steps of all epochs."""
    weight_bytes: int
    """Memory of the weights, float32."""
    memory_bytes: int
    """Memory of training, roughly: weights with gradients and optimizer, activations of a batch, the dataset."""
    flops_per_epoch: int
    """Multiplications and additions of the layers' products in training, forward and backward."""


def estimate(spec: Spec, dataset: DatasetInfo) -> Estimate:
    """Sizes of the job `spec` on `dataset`; exactly what the engine will build."""
    held_out = int(dataset.train_images * spec.validation_split)
    images = dataset.train_images - held_out
    steps_per_epoch = math.ceil(images / spec.batch_size)
    layers = _layers(spec, dataset)
    parameters = sum(layer.parameters for layer in layers)
    return Estimate(
        parameters=parameters,
        train_images=images,
        validation_images=held_out,
        steps_per_epoch=steps_per_epoch,
        steps=steps_per_epoch * spec.epochs,
        weight_bytes=4 * parameters,
        memory_bytes=_memory(spec, dataset, layers),
        flops_per_epoch=images * _flops(layers),
    )


@dataclass(frozen=True, slots=True)
class _Layer:
    """A dense layer, or a convolution whose kernel is applied at `places` of the image."""

    inputs: int
    outputs: int
    places: int = 1

    @property
    def parameters(self) -> int:
        return (self.inputs + 1) * self.outputs


MEMORY_PER_WEIGHT = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2}
"""Values that each optimizer remembers for a weight."""


def _memory(spec: Spec, dataset: DatasetInfo, layers: tuple["_Layer", ...]) -> int:
    parameters = sum(layer.parameters for layer in layers)
    copies = 2 + MEMORY_PER_WEIGHT[spec.optimizer.type] + (spec.early_stopping is not None)
    # Each layer's values before and after its activation, and their gradients.
    values = dataset.pixels + 4 * sum(layer.outputs * layer.places for layer in layers)
    images = dataset.train_images + dataset.test_images
    batch = min(spec.batch_size, dataset.train_images)
    return 4 * (copies * parameters + batch * values) + images * (dataset.pixels + 4)


def _layers(spec: Spec, dataset: DatasetInfo) -> tuple[_Layer, ...]:
    """The layers of a spec's network, first to last. Convolutions keep the size, each pooling halves it."""
    model = spec.model
    if not isinstance(model, CNN):
        hidden = model.hidden if isinstance(model, MLP) else ()
        return _dense((dataset.pixels, *hidden, dataset.classes))
    height, width = dataset.height, dataset.width
    convolutions: list[_Layer] = []
    for before, after in pairwise((dataset.channels, *model.filters)):
        convolutions.append(_Layer(model.kernel_size**2 * before, after, height * width))
        # An axis of one pixel is not pooled.
        height, width = max(1, height // 2), max(1, width // 2)
    return (*convolutions, *_dense((height * width * model.filters[-1], *model.dense, dataset.classes)))


def _dense(widths: tuple[int, ...]) -> tuple[_Layer, ...]:
    return tuple(_Layer(before, after) for before, after in pairwise(widths))


def _flops(layers: tuple[_Layer, ...]) -> int:
    """Per image: two for each weight and place forward, as many for its gradient, and as many for the gradient of
    the layer's input, which the first layer does not need."""
    work = [2 * layer.inputs * layer.outputs * layer.places for layer in layers]
    return 3 * sum(work) - work[0]
