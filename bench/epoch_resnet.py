"""A residual network written as layers: seconds per epoch through the service, beside two peers."""

from typing import Any

from bench import peer
from bench.epochs import take_turns
from bench.figure import Figure, Target
from bench.options import Options
from bench.stack import running

NOTE = """\
resnet: a 3×3 convolution with 16 channels, two blocks of two 3×3 convolutions with BatchNorm and a way around them,
16 and 32 channels, each max-pooled, dropout, one dense layer; cross-entropy, SGD, batch 128. Ours is a job of the
model type layers, measured as the MLP, with its evaluation. Peers: Keras' fit, and what a careful user writes: a
GradientTape step of the same Keras model under tf.function, over a tf.data pipeline that is batched before it is
scaled and prefetches; both without evaluation. The worker asks for oneDNN, and so do the peers here."""

RATIOS = {"Keras fit, oneDNN on": 1.2, "tf.function step over tf.data": 1.0}
"""How many times faster than each peer ours is to be."""


def block(name: str, filters: int, taken: str, *, around: str) -> list[dict[str, Any]]:
    """Two convolutions with BatchNorm, added to what went around them."""
    convolution = {"type": "conv2d", "filters": filters, "kernel_size": 3, "padding": "same", "use_bias": False}
    return [
        {**convolution, "inputs": [taken]},
        {"type": "batch_normalization"},
        {"type": "activation", "activation": "relu"},
        convolution,
        {"type": "batch_normalization", "name": f"{name}_inside"},
        {"type": "add", "inputs": [f"{name}_inside", around]},
        {"type": "activation", "activation": "relu", "name": name},
    ]


LAYERS = [
    {"type": "conv2d", "name": "stem", "filters": 16, "kernel_size": 3, "padding": "same", "activation": "relu"},
    *block("first", 16, "stem", around="stem"),
    {"type": "max_pooling", "name": "smaller"},
    {"type": "conv2d", "name": "around", "filters": 32, "kernel_size": 1},
    *block("second", 32, "smaller", around="around"),
    {"type": "max_pooling"},
    {"type": "dropout", "rate": 0.2},
    {"type": "flatten"},
    {"type": "dense"},
]
"""The network of `bench.peers.resnet`."""


def run(options: Options) -> list[Figure]:
    """Measure."""
    spec = {
        "dataset": options.dataset,
        "model": {"type": "layers", "layers": LAYERS},
        "loss": "cross_entropy",
        "seed": 1,
    }
    onednn = {"TF_ENABLE_ONEDNN_OPTS": "1"}
    with running(options) as stack:
        wait = not options.quick
        peers = [
            peer.start(stack, name, module, "resnet", environment=onednn, wait=wait)
            for name, module in zip(RATIOS, ("keras_fit", "graph_step"), strict=True)
        ]
        measured = take_turns(stack, spec, peers, options, usual=3)
    return [
        Figure(
            "residual network epoch",
            "s",
            measured.seconds,
            one.name,
            one.spread,
            target=Target("ratio at least", RATIOS[one.name]),
        )
        for one in peers
    ]
