"""First values of weights, made of a seed.

Each weight that is drawn has a Philox stream of its own (Salmon et al. 2011). Uniform ones are made of its raw words by
exact arithmetic, so that a seed means the same weights with any version of any library, on any machine.
"""

import math
from collections.abc import Iterator

import numpy as np

from jobs.architecture import Architecture
from jobs.layers import initializers
from jobs.layers.base import Shape, Weight
from jobs.layers.initializers import described

WEIGHT_STREAMS = 1 << 32
"""First of the seed's Philox streams that weights come from; those below are the epochs' orders."""
BLOCK = 1 << 18
"""Values that are drawn in one go; a multiple of the four words that Philox makes at once."""


def initial_weights(network: Architecture, seed: int) -> Iterator[np.ndarray]:
    """Of all weights, float32, in their order: the n-th that is drawn at random takes the n-th stream."""
    stream = WEIGHT_STREAMS
    for weight in network.weights:
        rule = described(weight.initializer)
        if isinstance(rule, initializers.CONSTANTS):
            values = np.full(weight.shape, _constant(rule), np.float32)
        else:
            values = _drawn(weight, rule, key=(seed, stream))
            stream += 1
        if weight.ones:
            first, end = weight.ones
            values[..., first:end] = 1
        yield values


def _constant(rule: initializers.Described) -> float:
    match rule:
        case initializers.Ones():
            return 1.0
        case initializers.ConstantValue():
            return rule.value
        case _:
            return 0.0


def _drawn(weight: Weight, rule: initializers.Described, *, key: tuple[int, int]) -> np.ndarray:
    shape = weight.shape
    match rule:
        case initializers.FanInUniform():
            # He's larger values (2015) made plain SGD on the squared error less accurate here and diverge from a rate
            # of 0.15 on, where these still learn at 0.5; with Adam they made no difference.
            return uniform(shape, key=key, limit=np.float32(1 / math.sqrt(fans(weight)[0])))
        case initializers.RandomUniform():
            middle, reach = (rule.maxval + rule.minval) / 2, (rule.maxval - rule.minval) / 2
            return uniform(shape, key=key, limit=np.float32(reach)) + np.float32(middle)
        case initializers.RandomNormal():
            return np.float32(rule.mean) + np.float32(rule.stddev) * _normal(shape, key=key)
        case initializers.TruncatedNormal():
            return np.float32(rule.mean) + np.float32(rule.stddev) * _truncated(shape, key=key)
        case initializers.VarianceScaling():
            return _scaled(weight, rule, key=key)
        case initializers.Orthogonal():
            return _orthogonal(shape, key=key) * np.float32(rule.gain)
        case _:
            raise AssertionError(rule)


def fans(weight: Weight) -> tuple[int, int]:
    """Inputs of each value that comes out, and outputs of each that comes in, as Keras counts them."""
    if weight.fans:
        return weight.fans
    shape = weight.shape
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _scaled(weight: Weight, rule: initializers.VarianceScaling, *, key: tuple[int, int]) -> np.ndarray:
    fan_in, fan_out = fans(weight)
    among = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[rule.mode]
    variance = rule.scale / max(1.0, among)
    match rule.distribution:
        case "uniform":
            return uniform(weight.shape, key=key, limit=np.float32(math.sqrt(3 * variance)))
        case "untruncated_normal":
            return np.float32(math.sqrt(variance)) * _normal(weight.shape, key=key)
        case "truncated_normal":
            # The deviation of a standard normal cut at ±2.
            return np.float32(math.sqrt(variance) / 0.87962566103423978) * _truncated(weight.shape, key=key)


def uniform(shape: Shape, *, key: tuple[int, int], limit: np.float32) -> np.ndarray:
    """float32 values in [-limit, limit): the upper 24 bits of Philox' words, exactly."""
    values = np.empty(math.prod(shape), np.float32)
    philox = np.random.Philox(key=list(key))
    # Block by block: the words of a large kernel would take five times its memory.
    for start in range(0, values.size, BLOCK):
        block = values[start : start + BLOCK]
        words = philox.random_raw(block.size) >> np.uint64(40)
        block[:] = (words.astype(np.float32) * np.float32(2**-23) - np.float32(1)) * limit
    return values.reshape(shape)


def _normal(shape: Shape, *, key: tuple[int, int]) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=list(key))).standard_normal(shape, np.float32)


def _truncated(shape: Shape, *, key: tuple[int, int]) -> np.ndarray:
    """Standard normal values, those beyond ±2 drawn again."""
    generator = np.random.Generator(np.random.Philox(key=list(key)))
    values = generator.standard_normal(math.prod(shape), np.float32)
    while (beyond := np.flatnonzero(np.abs(values) > 2)).size:
        values[beyond] = generator.standard_normal(beyond.size, np.float32)
    return values.reshape(shape)


def _orthogonal(shape: Shape, *, key: tuple[int, int]) -> np.ndarray:
    """Rows or columns at right angles, whichever are fewer, all axes but the last taken for one."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    generator = np.random.Generator(np.random.Philox(key=list(key)))
    drawn = generator.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T).astype(np.float32).reshape(shape)
