"""The service's CNN 16-32-64: seconds per epoch through the service, beside two peers."""

from bench import peer
from bench.epochs import take_turns
from bench.figure import Figure, Target
from bench.options import Options
from bench.stack import running

NOTE = """\
cnn: three blocks of 3×3 convolution, ReLU and 2×2 max-pooling with 16, 32, 64 channels, one dense layer;
cross-entropy, SGD, batch 128. Measured as the MLP. TensorFlow uses oneDNN by itself only on some makes of CPU; the
worker always asks for it. Keras is measured as it comes, and with oneDNN asked for as the worker does."""


def run(options: Options) -> list[Figure]:
    """Measure."""
    spec = {"dataset": options.dataset, "model": {"type": "cnn"}, "loss": "cross_entropy", "seed": 1}
    with running(options) as stack:
        fit = peer.start(stack, "Keras fit", "keras_fit", "cnn")
        with_onednn = {"TF_ENABLE_ONEDNN_OPTS": "1"}
        peers = [fit, peer.start(stack, "Keras fit, oneDNN on", "keras_fit", "cnn", environment=with_onednn)]
        if options.torch_python:
            peers.append(peer.start(stack, "PyTorch eager", "pytorch", "cnn", python=options.torch_python))
        measured = take_turns(stack, spec, peers, options, usual=3)
    targets = {fit.name: Target("ratio at least", 1.6)}
    return [
        Figure("CNN epoch", "s", measured.seconds, one.name, one.spread, target=targets.get(one.name)) for one in peers
    ]
