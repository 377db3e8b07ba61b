"""Makes the network of a job."""

import tensorflow as tf

from jobs.architecture import describe
from jobs.datasets import DatasetInfo
from jobs.spec import Spec
from worker.engine.chain import Chain
from worker.engine.keras_network import KerasNetwork
from worker.engine.network import Network

DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}


def build(
    spec: Spec, dataset: DatasetInfo, *, own_pooling: bool = False, by_cudnn: bool = False, on_cpu: bool = True
) -> Network:
    """The network of a spec for a dataset's examples, and its classes or targets.

    `own_pooling` concerns networks that are written out, `by_cudnn` and `on_cpu` all others.
    """
    described = describe(spec, dataset)
    if described.is_chain:
        return Chain(described, DTYPES[spec.precision], own_pooling)
    return KerasNetwork(described, spec.precision, by_cudnn, on_cpu)
