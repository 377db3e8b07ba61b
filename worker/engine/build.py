"""Makes the network of a job."""

import tensorflow as tf

from jobs.architecture import describe
from jobs.datasets import DatasetInfo
from jobs.spec import Spec
from worker.engine.chain import Chain
from worker.engine.keras_network import KerasNetwork
from worker.engine.network import Network

DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}


def build(spec: Spec, dataset: DatasetInfo, *, on_gpu: bool = False, by_xla: bool = False) -> Network:
    """The network of a spec for a dataset's examples, and its classes or targets; for a GPU, for XLA's compiler."""
    described = describe(spec, dataset)
    if described.is_chain:
        # XLA has no deterministic gradient of the library's pooling on a GPU.
        return Chain(described, DTYPES[spec.precision], own_pooling=on_gpu and by_xla)
    return KerasNetwork(described, spec.precision, on_gpu=on_gpu, by_xla=by_xla)
