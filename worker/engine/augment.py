"""Random shifts, rotations and zooms of training images, made inside the step."""

import math

import tensorflow as tf

from jobs.spec import Augmentation
from worker.engine.network import sizes
from worker.engine.stateless_random import StatelessRandom

_STREAM = 32
"""First of the noise streams used here; dropout uses those below."""


def augment(
    images: tf.Tensor, image: tuple[int, int, int], augmentation: Augmentation, noise: StatelessRandom
) -> tf.Tensor:
    """Each image [pixels] of the batch moved by an affine map of its own, pixels outside black.

    images: float32 [B, height·width·channels]. Every output pixel takes the nearest input pixel: with
    bilinear weights it would cost four gathers instead of one, for no measured gain in accuracy.
    """
    height, width, channels = image
    batch, _ = sizes(images)
    draws = noise.uniform((4, batch, 1, 1), stream=_STREAM) * 2 - 1
    angle = draws[0] * (augmentation.rotate_degrees * math.pi / 180)
    scale = 1 + draws[1] * augmentation.zoom
    shift_y, shift_x = draws[2] * augmentation.shift_pixels, draws[3] * augmentation.shift_pixels
    y = tf.reshape(tf.range(height, dtype=tf.float32), (1, height, 1)) - (height - 1) / 2
    x = tf.reshape(tf.range(width, dtype=tf.float32), (1, 1, width)) - (width - 1) / 2
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    from_y = tf.round(cosine * y - sine * x + shift_y + (height - 1) / 2)
    from_x = tf.round(sine * y + cosine * x + shift_x + (width - 1) / 2)
    inside = (from_y >= 0) & (from_y <= height - 1) & (from_x >= 0) & (from_x <= width - 1)
    index = tf.cast(tf.where(inside, from_y * width + from_x, tf.zeros_like(from_y)), tf.int32)
    pixels = tf.reshape(images, (batch, height * width, channels))
    moved = tf.gather(pixels, tf.reshape(index, (batch, height * width)), batch_dims=1)
    shown = tf.cast(tf.reshape(inside, (batch, height * width, 1)), images.dtype)
    return tf.reshape(moved * shown, images.shape)
