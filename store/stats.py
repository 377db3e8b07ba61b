"""What the scripts counted of all jobs since the store began, and how many there are now.

Hand the operation to `store.calls.run` or `store.calls.arun`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.states import TERMINAL, Reason, Status
from store.buckets import Histogram
from store.calls import Operation, script
from store.keys import Keys

SUM = "microseconds"
"""What of a histogram is no bucket."""

LOSSES = (Reason.WORKER_LOST, Reason.STALLED)
ENDS = {
    Status.SUCCEEDED: (Reason.COMPLETED, Reason.EARLY_STOPPED),
    Status.CANCELLED: (Reason.USER_REQUESTED,),
    Status.FAILED: (
        *LOSSES,
        Reason.DEADLINE_EXCEEDED,
        Reason.OUT_OF_MEMORY,
        Reason.UNFIT_EXAMPLES,
        Reason.NON_FINITE_LOSS,
        Reason.DATASET_UNAVAILABLE,
        Reason.INITIAL_WEIGHTS_UNAVAILABLE,
        Reason.DEVICE_UNAVAILABLE,
        Reason.TRAINING_ERROR,
        Reason.UNREADABLE_RECORD,
    ),
}
"""Why jobs end as they do. Each is told as 0 before it happens, or its first time would be no rise."""


@dataclass(frozen=True, slots=True)
class Stats:
    """All jobs in numbers. What is counted here grows only, and outlasts the jobs."""

    jobs: Mapping[str, int]
    """How many there are now, by status."""
    waiting: Mapping[str, int]
    """How many wait in the queue, by lane."""
    submitted: int
    """Accepted; a repeated submission is none."""
    finished: Mapping[tuple[str, str], int]
    """Final ones, by status and reason."""
    lost: int
    """Those whose record the store lost."""
    lease_losses: Mapping[str, int]
    """How often a job's worker was lost or hung, by reason."""
    trained_examples: int
    """Training examples of all epochs that were done; an epoch that was walked over again counts once."""
    queue_wait: Histogram
    """How long jobs waited, each time that one was claimed."""
    running: Mapping[str, Histogram]
    """How long jobs ran that a worker had, in all their attempts, by final status."""
    epochs: Histogram
    """How long epochs took, with their evaluation."""
    webhook_attempts: Mapping[str, int]
    """Requests to webhooks, `succeeded` and `failed`."""
    webhook_deliveries: Mapping[str, int]
    """What webhooks were told, `delivered` and `failed` for good."""


def read_stats(keys: Keys) -> Operation[Stats]:
    """Read them, all of one moment."""
    counted, jobs, waiting = yield script(keys, "stats")
    counts, now = dict(_pairs(counted)), dict(_pairs(jobs))

    def beginning(kind: str) -> dict[str, int]:
        """What is counted under a kind, by the rest of its name."""
        return {name.removeprefix(f"{kind}:"): n for name, n in counts.items() if name.startswith(f"{kind}:")}

    return Stats(
        jobs={status.value: now.get(status, 0) for status in Status},
        waiting=dict(_pairs(waiting)),
        submitted=counts.get("submitted", 0),
        finished=_finished(beginning("finished")),
        lost=counts.get("lost", 0),
        lease_losses=dict.fromkeys((reason.value for reason in LOSSES), 0) | beginning("lease_losses"),
        trained_examples=counts.get("trained_examples", 0),
        queue_wait=_histogram(beginning("queue_wait")),
        running={status.value: _histogram(beginning(f"running:{status.value}")) for status in sorted(TERMINAL)},
        epochs=_histogram(beginning("epoch")),
        webhook_attempts={"succeeded": 0, "failed": 0} | beginning("webhook_attempts"),
        webhook_deliveries={"delivered": 0, "failed": 0} | beginning("webhook_deliveries"),
    )


def _pairs(flat: list[Any]) -> Iterator[tuple[str, int]]:
    """Names and numbers, but for what is none: the store is not trusted to be whole."""
    for name, number in zip(flat[::2], flat[1::2], strict=True):
        try:
            yield name, int(number)
        except ValueError:
            continue


def _finished(counted: Mapping[str, int]) -> dict[tuple[str, str], int]:
    found = {(status.value, reason.value): 0 for status, reasons in ENDS.items() for reason in reasons}
    for end, number in counted.items():
        status, _, reason = end.partition(":")
        found[status, reason] = number
    return found


def _histogram(counted: Mapping[str, int]) -> Histogram:
    counts: dict[float, int] = {}
    for bound, number in counted.items():
        try:
            counts[float(bound)] = number
        except ValueError:
            continue  # their sum
    return Histogram.of(counts, seconds=counted.get(SUM, 0) / 1_000_000)
