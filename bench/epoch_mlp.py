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
and TensorFlow's; the FLOP of an epoch at that rate are the least time that any loop can take here."""

TRAIN_IMAGES = 60_000
WEIGHTS = 784 * 256 + 256 * 128 + 128 * 10
TRAINING_FLOP = 6 * WEIGHTS - 2 * 784 * 256


def run(options: Options) -> list[Figure]:
    """Measure."""
    spec = {"dataset": options.dataset, "seed": 1}
    with running(options) as stack:
        wait = not options.quick
        eager = peer.start(stack, "eager GradientTape over tf.data", "textbook", wait=wait)
        fit = peer.start(stack, "Keras fit", "keras_fit", "mlp", wait=wait)
        sgemm = peer.start(stack, "sgemm", "sgemm", wait=wait)
        peers = [sgemm, eager, fit]
        if options.torch_python:
            peers.append(peer.start(stack, "PyTorch eager", "pytorch", "mlp", python=options.torch_python))
        measured = take_turns(stack, spec, peers, options, usual=5)
    floor = None if options.quick else TRAIN_IMAGES * TRAINING_FLOP / 1e9 / sgemm.spread.median
    ratios = {"Keras fit": 3.5, "PyTorch eager": 2.5, eager.name: 12.0}
    lines = [
        Figure(
            *("MLP epoch", "s", measured.seconds, one.name, one.spread),
            target=Target("ratio at least", ratios[one.name]),
            floor=floor,
        )
        for one in peers
        if one is not sgemm
    ]
    return [*lines, *_shares(measured.images_per_second.values, sgemm.rounds)]


def _shares(speeds: tuple[float, ...], rates: list[float]) -> list[Figure]:
    ours = [speed * TRAINING_FLOP / 1e9 for speed in speeds]
    shares = [100 * mine / rate for mine, rate in zip(ours, rates, strict=True)]
    return [
        Figure("MLP training", "GFLOP/s", Spread.of(ours), "sgemm", Spread.of(rates), higher_is_better=True),
        Figure("MLP share of sgemm", "%", Spread.of(shares), target=Target("at least", 85)),
    ]
