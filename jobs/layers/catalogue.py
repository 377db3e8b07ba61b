"""Every kind of layer."""

from typing import Annotated

from pydantic import Field

from jobs.layers.activations import ActivationLayer
from jobs.layers.convolution import Conv2D
from jobs.layers.dense import Dense
from jobs.layers.merging import Add
from jobs.layers.noise import Dropout
from jobs.layers.normalization import BatchNormalization
from jobs.layers.pooling import MaxPooling
from jobs.layers.reshaping import Flatten

AnyLayer = Annotated[
    Dense | Conv2D | MaxPooling | Flatten | Dropout | BatchNormalization | ActivationLayer | Add,
    Field(discriminator="type"),
]
