"""What `/metrics` tells, as families of Prometheus.

Labels are what the operator and this code name, never what a stranger can make up: no jobs, owners, datasets or paths.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from api.http.connections import Cause, Connections
from api.telemetry.traffic import Traffic
from jobs.record import Device, Worker
from store.buckets import Histogram
from store.stats import Stats

PREFIX = "gradientd"
DEVICE_MEMORY: dict[str, tuple[str, Callable[[Device], int | None]]] = {
    "used": ("Memory in use on a worker's device, where that is known.", lambda device: device.memory_bytes),
    "peak": ("Largest memory in use on a worker's device so far.", lambda device: device.memory_peak_bytes),
    "limit": ("All memory of a worker's device, or the cap on it.", lambda device: device.memory_bytes_total),
}


@dataclass(frozen=True, slots=True)
class Process:
    """What this process counts of itself."""

    version: str
    traffic: Traffic
    connections: Connections | None
    """None under a server that is not ours."""
    instances: int
    """Predicted."""
    followers: int
    """Streams of events and long polls, of all jobs."""
    uploads_under_way: int
    uploads_checking: int


def exposition(process: Process, stats: Stats | None, workers: Sequence[Worker]) -> bytes:
    """All of it, in Prometheus' text format; without what the store tells where it did not answer (None)."""
    families = [_gauge("store_up", "Whether the store answered.", {(): stats is not None})]
    if stats:
        families += [*_of_jobs(stats), *_of_workers(workers, now=datetime.now(UTC))]
    families += [*_of_process(process), *ProcessCollector(registry=None).collect()]
    return generate_latest(_Families(families))


class _Families(Collector):
    """Families that are there already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_jobs(stats: Stats) -> Iterator[Metric]:
    yield _gauge("jobs", "Jobs that the store has now, by status.", _by_one(stats.jobs), ["status"])
    # Each GPU of a worker has a lane, which few jobs ask for.
    waiting = {(lane,): number for lane, number in stats.waiting.items() if number or ":" not in lane}
    yield _gauge("queued_jobs", "Jobs that wait now, by the lane of workers that they wait for.", waiting, ["lane"])
    yield _counter("jobs_submitted", "Jobs accepted.", {(): stats.submitted})
    finished = "Jobs that reached a final status, by that and the reason."
    yield _counter("jobs_finished", finished, stats.finished, ["status", "reason"])
    yield _counter("job_records_lost", "Jobs dropped because the store lost their record.", {(): stats.lost})
    losses = "Leases that ended because a job's worker was lost or its training hung, by reason."
    yield _counter("lease_losses", losses, _by_one(stats.lease_losses), ["reason"])
    examples = "Training examples of the epochs done; each epoch of a job counts once."
    yield _counter("trained_examples", examples, {(): stats.trained_examples})
    waited = "Time from a job's being queued to its claim; a job that is queued again waits again."
    yield _histogram("queue_wait_seconds", waited, {(): stats.queue_wait})
    ran = "Time that final jobs ran, in all their attempts, by final status; without those that never ran."
    yield _histogram("job_duration_seconds", ran, _by_one(stats.running), ["status"])
    yield _histogram("epoch_duration_seconds", "Time of an epoch, evaluation included.", {(): stats.epochs})
    attempts = "Requests to webhooks, by whether they were answered with 2xx."
    yield _counter("webhook_attempts", attempts, _by_one(stats.webhook_attempts), ["outcome"])
    settled = "Messages to webhooks that were delivered, and those given up, each time that they were."
    yield _counter("webhook_deliveries", settled, _by_one(stats.webhook_deliveries), ["outcome"])


def _of_workers(workers: Sequence[Worker], *, now: datetime) -> Iterator[Metric]:
    labels = ["worker", "host"]
    names = {worker.name: (worker.name, worker.host) for worker in workers}
    yield _gauge("worker_up", "1 for each live worker.", dict.fromkeys(names.values(), 1), labels)
    ages = {names[worker.name]: max(0.0, (now - worker.last_heartbeat_at).total_seconds()) for worker in workers}
    yield _gauge("worker_heartbeat_age_seconds", "Time since a live worker last spoke, by its clock.", ages, labels)
    busy = {names[worker.name]: worker.status == "busy" for worker in workers}
    yield _gauge("worker_busy", "Whether a live worker trains.", busy, labels)
    devices = [((*names[worker.name], device.name), device) for worker in workers for device in worker.devices]
    for kind, (text, size_of) in DEVICE_MEMORY.items():
        sizes = {name: size for name, device in devices if (size := size_of(device)) is not None}
        yield _gauge(f"worker_device_memory_{kind}_bytes", text, sizes, [*labels, "device"])


def _of_process(process: Process) -> Iterator[Metric]:
    yield _gauge("build_info", "1, with the version of this process.", {(process.version,): 1}, ["version"])
    traffic = process.traffic
    requests = "HTTP requests answered, by path of the operation, method and class of status."
    yield _counter("http_requests", requests, traffic.requests(), ["route", "method", "status"])
    durations = "Time from a request's head to the beginning of its answer."
    yield _histogram("http_request_duration_seconds", durations, traffic.durations(), ["route", "method"])
    yield _gauge(
        "http_requests_in_flight", "HTTP requests being answered now, this one included.", {(): traffic.in_flight}
    )
    yield _counter("predictions", "Examples that models were asked about and answered.", {(): process.instances})
    followers = "Streams of events that are open now, and requests that wait for a job to change."
    yield _gauge("followers", followers, {(): process.followers})
    under_way = "Uploads being received, checked or published now, and those that wait for their check."
    yield _gauge("uploads_under_way", under_way, {(): process.uploads_under_way})
    yield _gauge("uploads_checking", "Uploads being checked now.", {(): process.uploads_checking})
    if process.connections:
        yield _gauge("connections_open", "Connections open now.", {(): process.connections.count})
        ended = {(cause.value,): process.connections.ended[cause] for cause in Cause}
        yield _counter("connections_ended", "Connections ended for what their peer did, by that.", ended, ["cause"])


# --- the library's families ----------------------------------------------------------------------

Labelled = Mapping[tuple[str, ...], float]
T = TypeVar("T")


def _by_one(values: Mapping[str, T]) -> dict[tuple[str, ...], T]:
    """Values by one label."""
    return {(name,): value for name, value in values.items()}


def _gauge(name: str, text: str, numbers: Labelled, labels: Sequence[str] = ()) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, number in numbers.items():
        family.add_metric(values, float(number))
    return family


def _counter(name: str, text: str, numbers: Labelled, labels: Sequence[str] = ()) -> Metric:
    """Its samples are called `<name>_total`."""
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, number in numbers.items():
        family.add_metric(values, float(number))
    return family


def _histogram(
    name: str, text: str, histograms: Mapping[tuple[str, ...], Histogram], labels: Sequence[str] = ()
) -> Metric:
    family = HistogramMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, histogram in histograms.items():
        buckets = [("+Inf" if math.isinf(bound) else str(bound), float(n)) for bound, n in histogram.buckets]
        family.add_metric(values, buckets, histogram.seconds)
    return family
