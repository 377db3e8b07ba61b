"""The textbook's MLP 784-256-128-10: seconds per epoch through the service, beside four peers."""

from bench import peer
from bench.epochs import take_turns
from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import running

NOTE = """\
mlp: 784-256-128-10, squared error, SGD, batch 128. Ours: a job run through the service, API and worker in their
own processes, each epoch with its evaluation on the test images, metrics and looks for a cancel; seconds are those
of its metrics. Peers: warm, alone in their process, their libraries' defaults, data in memory, no evaluation.
FLOP of training an image: 6·weights − 2·784·256, as no gradient of the input is needed; weights are
784·256 + 256·128 + 128·10, so 1.007 MFLOP. The machine's rate is a 2048² float32 product, the better of NumPy's
and TensorFlow's. 'Its products alone' are the epoch's matrix products, evaluation included, at their own sizes, by
NumPy's BLAS, one after the other, and nothing else: no batch, no loss, no update. A missed target that asks for
more than they reach says so."""

TRAIN_IMAGES = 60_000
WEIGHTS = 784 * 256 + 256 * 128 + 128 * 10
TRAINING_FLOP = 6 * WEIGHTS - 2 * 784 * 256

RATIOS = {"eager GradientTape over tf.data": 12.0, "Keras fit": 3.5, "PyTorch eager": 2.5}
"""How many times faster than each peer ours is to be."""


def run(options: Options) -> list[Figure]:
    """Measure."""
    spec = {"dataset": options.dataset, "seed": 1}
    with running(options) as stack:
        wait = not options.quick
        eager = peer.start(stack, "eager GradientTape over tf.data", "textbook", wait=wait)
        fit = peer.start(stack, "Keras fit", "keras_fit", "mlp", wait=wait)
        sgemm = peer.start(stack, "sgemm", "sgemm", wait=wait)
        alone = peer.start(stack, "its products alone", "products", "epoch", wait=wait)
        training_alone = peer.start(stack, "training's products alone", "products", "training", wait=wait)
        peers = [sgemm, alone, training_alone, eager, fit]
        if options.torch_python:
            peers.append(peer.start(stack, "PyTorch eager", "pytorch", "mlp", python=options.torch_python))
        measured = take_turns(stack, spec, peers, options, usual=5)
    epochs = [
        Figure(
            *("MLP epoch", "s", measured.seconds, one.name, one.spread),
            target=None if one is alone else Target("ratio at least", RATIOS[one.name]),
            bound=alone.spread.median,
        )
        for one in peers
        if one not in (sgemm, training_alone)
    ]
    return [*epochs, *_shares(measured.examples_per_second.values, sgemm.rounds, training_alone.rounds)]


def _shares(speeds: tuple[float, ...], rates: list[float], alone: list[float]) -> list[Figure]:
    """Ours in FLOP, and as a share of the machine's `rates`; `alone` are the seconds of training's products."""
    ours = [speed * TRAINING_FLOP / 1e9 for speed in speeds]
    shares = [100 * mine / rate for mine, rate in zip(ours, rates, strict=True)]
    bounds = [
        100 * TRAIN_IMAGES * TRAINING_FLOP / 1e9 / seconds / rate for seconds, rate in zip(alone, rates, strict=True)
    ]
    return [
        Figure("MLP training", "GFLOP/s", Spread.of(ours), "sgemm", Spread.of(rates), higher_is_better=True),
        Figure(
            *("MLP share of sgemm", "%", Spread.of(shares)),
            higher_is_better=True,
            target=Target("at least", 85),
            bound=Spread.of(bounds).median,
        ),
    ]
