"""Five networks as Keras' own examples have them, written anew and smaller."""

from typing import Any

import keras
from keras import layers


def convnet() -> Any:
    """Digits by convolutions."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1.0 / 255),
            layers.Conv2D(16, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(32, 3, activation="relu", kernel_initializer="he_normal"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )


def structured() -> Any:
    """Two classes by the columns of a table."""
    return keras.Sequential(
        [
            keras.Input((13,)),
            layers.Dense(32, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(16, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.1)),  # pyright: ignore[reportArgumentType] (its stub says text)
            layers.LeakyReLU(negative_slope=0.1),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def texts() -> Any:
    """Sequences of numbers, each one's vector learnt, read from the front and from the back."""
    inputs = keras.Input((20,), dtype="int32")
    x = layers.Embedding(50, 16)(inputs)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(8, recurrent_initializer="glorot_normal"))(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def attention() -> Any:
    """A time series by two blocks of a transformer's encoder."""

    def block(inputs: Any) -> Any:
        x = layers.LayerNormalization(epsilon=1e-6)(inputs)
        x = layers.MultiHeadAttention(key_dim=8, num_heads=2, dropout=0.1)(x, x)
        res = layers.Dropout(0.1)(x) + inputs
        x = layers.LayerNormalization(epsilon=1e-6)(res)
        x = layers.Conv1D(4, kernel_size=1, activation="relu")(x)
        return layers.Conv1D(filters=inputs.shape[-1], kernel_size=1)(x) + res

    inputs = keras.Input((24, 3))
    x = layers.GlobalAveragePooling1D()(block(block(inputs)))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.Dense(16, activation="gelu")(x)))


def xception() -> Any:
    """Colour images by separable convolutions with residual paths, and a head that is a model of its own."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(1.0 / 255)(inputs)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))
    before = x
    for size in (16, 24):
        x = layers.SeparableConv2D(size, 3, padding="same")(layers.ReLU()(x))
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(size, 1, strides=2, padding="same")(before)
        before = x = layers.add([x, residual])
    head = keras.Sequential(
        [keras.Input((4, 4, 24)), layers.GlobalAveragePooling2D(), layers.Dropout(0.25), layers.Dense(5)], name="head"
    )
    return keras.Model(inputs, layers.Softmax()(head(x)))


EXAMPLES = {make.__name__: make for make in (convnet, structured, texts, attention, xception)}
