"""Readers who follow jobs through one API process, a part of whom reads next to nothing."""

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psutil
import redis
import uvloop

from bench.figure import Figure, Spread, Target
from bench.options import Options
from bench.stack import HOST, Stack, running
from jobs.ids import new_job_id
from jobs.record import EpochMetrics
from jobs.report import Report
from jobs.settings import Settings
from store.calls import connect
from store.calls import run as carry_out
from store.jobs import Store
from store.lanes import Lanes

NOTE = """\
streams: 2,000 readers follow 20 jobs by server-sent events through one API process on one core; each job reports two
epochs a second, and the time to a delivery is counted from the store's record of the event to the reader, whose process
has the other core with the store. 500 of the readers read a byte a second. Microseconds are of the API's CPU time.
Then once more with API, store and readers on one core, and a worker that trains an MLP in one thread on the other: its
examples per second, by epochs, while they read, beside those before and after."""

READERS = 1500
SLOW_READERS = 500
JOBS = 20
EVENTS_PER_SECOND = 2.0
_AT = b'"at":"'


def run(options: Options) -> list[Figure]:
    """Measure."""
    return [*_deliveries(options), _training_beside(options)]


def _deliveries(options: Options) -> list[Figure]:
    readers, slow, jobs = _crowd(options)
    seconds = 3.0 if options.quick else 20.0
    with running(options, worker=False) as stack:
        api = next(psutil.Process(process.pid) for name, process, _ in stack.processes.started if name == "api")
        cores = sorted(os.sched_getaffinity(0))
        api.cpu_affinity([cores[0]])
        os.sched_setaffinity(0, cores[1:] or cores)
        try:
            ids = [stack.submit() for _ in range(jobs)]
            siege = Siege(stack, ids, readers=readers, slow=slow)
            cpu = uvloop.run(siege.besiege(api, seconds=seconds))
        finally:
            os.sched_setaffinity(0, cores)
    took = Spread.of(siege.took)
    what = f"{readers + slow:,} readers"
    return [
        Figure(
            f"{what}: p99 of a delivery", "ms", Spread.of([took.percentile(99) * 1e3]), target=Target("at most", 250)
        ),
        Figure(f"{what}: a delivery", "ms", Spread.of([took.median * 1e3])),
        Figure(f"{what}: CPU for a delivery", "us", Spread.of([cpu / len(siege.took) * 1e6])),
        Figure(
            f"{what}: share delivered", "", Spread.of([len(siege.took) / siege.expected]), target=Target("at least", 1)
        ),
        Figure(f"{what}: subscribers of the store", "", Spread.of([siege.subscribers]), target=Target("at most", 1)),
    ]


def _crowd(options: Options) -> tuple[int, int, int]:
    """Readers, slow readers, jobs."""
    return (90, 30, 4) if options.quick else (READERS, SLOW_READERS, JOBS)


def _training_beside(options: Options) -> Figure:
    readers, slow, jobs = _crowd(options)
    seconds = 3.0 if options.quick else 15.0
    cores = sorted(os.sched_getaffinity(0))
    with running(options, worker=False) as stack:
        try:
            os.sched_setaffinity(0, cores[1:] or cores)
            stack.start_worker({"GRADIENTD_THREADS": "1"})
            trained = stack.submit(epochs=10_000)
            stack.until_first_epoch(trained)
            os.sched_setaffinity(0, cores[:1])
            for name, process, _ in stack.processes.started:
                if name in ("api", "valkey"):
                    _pin(process.pid, cores[0])
            ids = [stack.submit() for _ in range(jobs)]
            siege = Siege(stack, ids, readers=readers, slow=slow)
            time.sleep(seconds)
            began = time.time()
            uvloop.run(siege.besiege(psutil.Process(), seconds=seconds))
            ended = time.time()
            time.sleep(seconds)
        finally:
            os.sched_setaffinity(0, cores)
        speeds = list(_speeds(stack, trained))
    alone = [speed for at, speed in speeds if not began - 1 <= at <= ended + 1]
    beside = [speed for at, speed in speeds if began + 2 <= at <= ended - 1]
    return Figure(
        "a trainer on the other core",
        "1/s",
        Spread.of(beside),
        "without readers",
        Spread.of(alone),
        higher_is_better=True,
        target=Target("ratio at least", 0.98),
    )


def _pin(pid: int, core: int) -> None:
    """Keep a process, all threads of it, on a core."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, [core])


def _speeds(stack: Stack, job_id: str) -> Iterator[tuple[float, float]]:
    """When each epoch ended, and its examples per second; without the first ones."""
    rows: Any = stack.store.xrange(stack.keys.events(job_id))
    metrics = [row for _, row in rows if row["type"] == "metric"]
    for row in metrics[5:]:
        yield int(row["at"]) / 1000, json.loads(row["data"])["examples_per_second"]


class Siege:
    """The readers, and what they read."""

    def __init__(self, stack: Stack, ids: list[str], *, readers: int, slow: int) -> None:
        self.stack, self.ids = stack, ids
        self.readers, self.slow = readers, slow
        self.took: list[float] = []
        """Seconds of each delivery to those who read."""
        self.expected = self.subscribers = 0

    async def besiege(self, api: psutil.Process, *, seconds: float) -> float:
        """Have all of them read for so long; the API's CPU time meanwhile, in seconds."""
        loop = asyncio.get_running_loop()
        transports: list[Any] = []
        for n in range(self.readers):
            request = self._request(self.ids[n % len(self.ids)])
            reader = _Reader(request, self)
            transport, _ = await loop.create_connection(lambda reader=reader: reader, HOST, self.stack.port)
            transports.append(transport)
        with self._slow_ones() as peers:
            dripping = asyncio.create_task(_drip(peers))
            await asyncio.sleep(2)
            self.took.clear()
            before = sum(api.cpu_times()[:2])
            reports = await asyncio.to_thread(self._report, seconds)
            await asyncio.sleep(1)
            cpu = sum(api.cpu_times()[:2]) - before
            self.subscribers = _subscribers(self.stack)
            dripping.cancel()
        self.expected = sum(reports * len(range(n, self.readers, len(self.ids))) for n in range(len(self.ids)))
        for transport in transports:
            transport.abort()
        return cpu

    def _report(self, seconds: float) -> int:
        """Report epochs of all jobs, evenly; how many of each."""
        settings = Settings.model_validate({"redis_url": self.stack.redis_url, "namespace": self.stack.keys.namespace})
        store = Store.of(settings)
        with connect(settings) as client:
            lanes = Lanes.served_by(gpus=0)
            claims = [carry_out(client, store.claim("bench", token=new_job_id(), lanes=lanes)) for _ in self.ids]
            rounds = int(seconds * EVENTS_PER_SECOND)
            began = time.perf_counter()
            for number in range(1, rounds + 1):
                for place, claim in enumerate(claims):
                    assert claim
                    due = began + (number + place / len(claims)) / EVENTS_PER_SECOND
                    time.sleep(max(0.0, due - time.perf_counter()))
                    report = Report(number, epochs=(_epoch(number),))
                    carry_out(client, store.report(claim.job.id, claim.fence, report))
        return rounds

    def _request(self, job_id: str) -> bytes:
        head = f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nhost: {HOST}:{self.stack.port}\r\n"
        return (head + "accept: text/event-stream\r\n\r\n").encode()

    @contextmanager
    def _slow_ones(self) -> Iterator[list[socket.socket]]:
        peers: list[socket.socket] = []
        try:
            for n in range(self.slow):
                peer = socket.socket()
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.connect((HOST, self.stack.port))
                peer.sendall(self._request(self.ids[n % len(self.ids)]))
                peer.setblocking(False)
                peers.append(peer)
            yield peers
        finally:
            for peer in peers:
                peer.close()


class _Reader(asyncio.Protocol):
    def __init__(self, request: bytes, siege: Siege) -> None:
        self._request, self._siege = request, siege
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # pyright: ignore[reportAttributeAccessIssue] (uvloop's own class)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if b"event: metric" in event:
                at = event.index(_AT) + len(_AT)
                told = datetime.fromisoformat(event[at : event.index(b'"', at)].decode())
                self._siege.took.append(max(now - told.timestamp(), 0.0))


async def _drip(peers: list[socket.socket]) -> None:
    while True:
        for peer in peers:
            with suppress(BlockingIOError, ConnectionError):
                peer.recv(1)
        await asyncio.sleep(1)


def _subscribers(stack: Stack) -> int:
    listed: Any = redis.Redis.from_url(stack.redis_url).client_list(_type="pubsub")
    return len(listed)


def _epoch(number: int) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        step=number * 469,
        loss=1 / number,
        accuracy=0.9,
        val_loss=1 / number,
        val_accuracy=0.9,
        learning_rate=0.1,
        seconds=0.5,
        examples_per_second=120_000.0,
    )
