"""The residual network of `bench.epoch_resnet`, as Keras' users write it."""

from typing import Any

import keras


def resnet() -> keras.Model:
    """Two residual blocks with 16 and 32 channels."""
    k: Any = keras.layers
    example = keras.Input((28, 28, 1))
    stem = k.Conv2D(16, 3, padding="same", activation="relu")(example)
    smaller = k.MaxPooling2D()(_block(stem, stem, 16))
    x = k.MaxPooling2D()(_block(smaller, k.Conv2D(32, 1)(smaller), 32))
    return keras.Model(example, k.Dense(10)(k.Flatten()(k.Dropout(0.2)(x))))


def _block(x: Any, around: Any, filters: int) -> Any:
    k: Any = keras.layers
    x = k.ReLU()(k.BatchNormalization()(k.Conv2D(filters, 3, padding="same", use_bias=False)(x)))
    x = k.BatchNormalization()(k.Conv2D(filters, 3, padding="same", use_bias=False)(x))
    return k.ReLU()(k.Add()([x, around]))
