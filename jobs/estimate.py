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


def estimate(spec: Spec, dataset: DatasetInfo) -> Estimate:
    """Sizes of the job `spec` on `dataset`; exactly what the engine will build."""
    held_out = int(dataset.train_images * spec.validation_split)
    images = dataset.train_images - held_out
    steps_per_epoch = math.ceil(images / spec.batch_size)
    parameters = _parameters(spec, dataset)
    return Estimate(
        parameters=parameters,
        train_images=images,
        validation_images=held_out,
        steps_per_epoch=steps_per_epoch,
        steps=steps_per_epoch * spec.epochs,
        weight_bytes=4 * parameters,
    )


def feature_size(model: CNN, dataset: DatasetInfo) -> int:
    """Values per image behind the last pooling of a CNN. An axis of one pixel is not pooled."""
    height, width = dataset.height, dataset.width
    for _ in model.filters:
        height, width = max(1, height // 2), max(1, width // 2)
    return height * width * model.filters[-1]


def _parameters(spec: Spec, dataset: DatasetInfo) -> int:
    model = spec.model
    if isinstance(model, CNN):
        channels = (dataset.channels, *model.filters)
        convolutions = sum((model.kernel_size**2 * a + 1) * b for a, b in pairwise(channels))
        return convolutions + _dense((feature_size(model, dataset), *model.dense, dataset.classes))
    hidden = model.hidden if isinstance(model, MLP) else ()
    return _dense((dataset.pixels, *hidden, dataset.classes))


def _dense(widths: tuple[int, ...]) -> int:
    return sum((a + 1) * b for a, b in pairwise(widths))
