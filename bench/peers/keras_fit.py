"""Keras' `fit` on arrays in memory, its step compiled to a graph as is its default."""

import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from bench.peers.protocol import serve
from bench.peers.resnet import resnet

QUIET: Any = 0

MLP_RATE = 1.0
"""Ten times the service's 0.1: Keras' mse is the mean over the ten outputs, the service's the sum."""


def load(path: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and targets as the model takes them."""
    with np.load(path) as arrays:
        images, labels = arrays["x_train"].astype("float32") / 255, arrays["y_train"]
    if kind == "mlp":
        return images.reshape(-1, 784), np.asarray(keras.utils.to_categorical(labels, 10))
    return images[..., np.newaxis], labels


def mlp() -> keras.Model:
    """784-256-128-10 with squared error."""
    model = keras.Sequential(
        [
            keras.layers.Input((784,)),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(optimizer=keras.optimizers.SGD(MLP_RATE), loss="mse")
    return model


def cnn() -> keras.Model:
    """Three blocks of convolution and pooling with 16, 32 and 64 channels, and one dense layer."""
    blocks: list[keras.Layer] = []
    for filters in (16, 32, 64):
        blocks += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    return classifying(
        keras.Sequential([keras.layers.Input((28, 28, 1)), *blocks, keras.layers.Flatten(), keras.layers.Dense(10)])
    )


def classifying(model: keras.Model) -> keras.Model:
    """The model with cross-entropy and SGD."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    return model


MODELS = {"mlp": mlp, "cnn": cnn, "resnet": lambda: classifying(resnet())}


class Clock(keras.callbacks.Callback):
    """Takes the time from an epoch's beginning to its end."""

    seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds = time.perf_counter() - self._began


def main() -> None:
    kind = sys.argv[2]
    x, y = load(Path(sys.argv[1]), kind)
    model = MODELS[kind]()
    clock = Clock()

    def train_epoch() -> float:
        model.fit(x, y, batch_size=128, epochs=1, verbose=QUIET, callbacks=[clock])
        return clock.seconds

    serve(train_epoch, version=f"Keras {keras.__version__}")


if __name__ == "__main__":
    main()
