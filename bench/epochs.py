"""Seconds per epoch: a job run through the service, and peers, in turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.figure import Spread
from bench.options import Options
from bench.peer import Peer
from bench.stack import Stack

WARM_EPOCHS = 3
"""Epochs of a job that count; its first does not, nor does a peer's first."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Each round's median over its warm epochs."""

    seconds: Spread
    """Of an epoch with its evaluation, as the job's metrics tell."""
    examples_per_second: Spread
    """While training, evaluation left out."""


def take_turns(stack: Stack, spec: dict[str, Any], peers: Sequence[Peer], options: Options, *, usual: int) -> Measured:
    """Ours, then each peer, round by round, so that a machine that drifts drifts for all."""
    seconds: list[float] = []
    speeds: list[float] = []
    warm_epochs = 1 if options.quick else WARM_EPOCHS
    run_job(stack, spec, 1)
    for peer in peers:
        peer.wait_until_warm()
    for _ in range(options.rounds(usual)):
        epochs = run_job(stack, spec, warm_epochs)
        seconds.append(Spread.of([epoch["seconds"] for epoch in epochs]).median)
        speeds.append(Spread.of([epoch["examples_per_second"] for epoch in epochs]).median)
        for peer in peers:
            peer.measure()
    return Measured(Spread.of(seconds), Spread.of(speeds))


def run_job(stack: Stack, spec: dict[str, Any], warm_epochs: int) -> list[dict[str, Any]]:
    """The metrics of a job's warm epochs."""
    return stack.epochs(stack.submit(**spec, epochs=1 + warm_epochs))[1:]
