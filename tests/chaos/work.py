"""The jobs of a run: what is asked for, what must come of it, and the customers who ask."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.stack import Stack, Stuck

MOST_ATTEMPTS = 10
FINAL = frozenset({"succeeded", "failed", "cancelled"})

_ADAM = {"optimizer": {"type": "adam", "learning_rate": 0.002}, "loss": "cross_entropy"}
KINDS: dict[str, dict[str, Any]] = {
    "mlp graph": {"model": {"type": "mlp", "hidden": [24]}, "execution": "graph", "epochs": 10, "seed": 3},
    "mlp xla": {
        "model": {"type": "mlp", "hidden": [32], "dropout": 0.2},
        "execution": "xla",
        "epochs": 12,
        "validation_split": 0.1,
        **_ADAM,
    },
    "cnn graph": {"model": {"type": "cnn", "filters": [4, 8]}, "execution": "graph", "epochs": 2, **_ADAM},
    "cnn xla": {"model": {"type": "cnn", "filters": [4]}, "execution": "xla", "epochs": 2, "seed": 5, **_ADAM},
    "softmax": {"model": {"type": "softmax"}, "execution": "eager", "epochs": 3, "batch_size": 256, **_ADAM},
}
"""Small jobs whose uninterrupted run is known beforehand."""

SLOWER = {"mlp graph": 400, "mlp xla": 300, "cnn graph": 10, "cnn xla": 12}
"""Epochs that make them long enough to be killed amid."""


@dataclass
class Order:
    """One job: how it was asked for, and what was done to it."""

    key: str
    kind: str
    spec: dict[str, Any]
    stop_reason: str = ""
    """`cancel`, `pause`, `deadline`, `kill` (its process, in every attempt), `hang` or nothing."""
    ids: set[str] = field(default_factory=set)
    """Every id that an acceptance named; more than one is a duplicate."""
    may_be_cancelled: bool = False
    destroyed: bool = False
    """Whether a fault took its record away, or tried to."""
    cancel_at: float = 0.0

    @property
    def id(self) -> str:
        """The accepted job."""
        return next(iter(self.ids))


def orders(rng: random.Random) -> Iterator[Order]:
    """Jobs without end: mostly plain ones, some that are cancelled, paused, or bound to run out of time."""
    n = 0
    while True:
        kind = rng.choices(list(KINDS), weights=(5, 4, 2, 2, 2))[0]
        stop_reason = rng.choices(("", "cancel", "pause", "deadline"), weights=(80, 7, 9, 2))[0]
        yield order(n, kind, stop_reason=stop_reason, priority=rng.randint(-2, 2))
        n += 1


def order(n: int, kind: str, *, stop_reason: str = "", priority: int = 0, **changes: Any) -> Order:
    """The n-th order."""
    spec = {**KINDS[kind], "max_attempts": MOST_ATTEMPTS, "priority": priority, **changes}
    spec["metadata"] = {"key": f"order-{n}", **changes.get("metadata", {})}
    if stop_reason == "deadline":
        spec |= {"epochs": 10_000, "max_runtime_seconds": 2}
    return Order(f"order-{n}", kind, spec, stop_reason, may_be_cancelled=stop_reason == "cancel")


class Customers:
    """Threads that keep a few jobs under way, and see to what was wished for them."""

    def __init__(self, stack: Stack, source: Iterator[Order], *, rng: random.Random, at_once: int) -> None:
        self.orders: list[Order] = []
        self._stack, self._source, self._rng, self._at_once = stack, source, rng, at_once
        self._open: list[Order] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="customers", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Submit nothing more; what is under way is still seen to until `join`."""
        self._closed.set()

    @property
    def accepted(self) -> int:
        """Jobs accepted so far."""
        return len(self.orders)

    @property
    def under_way(self) -> list[Order]:
        """Jobs accepted and not yet seen final."""
        with self._lock:
            return list(self._open)

    def take(self, order: Order, job_id: str) -> None:
        """Note that an order was accepted."""
        with self._lock:
            order.ids.add(job_id)
            order.cancel_at = time.monotonic() + self._rng.uniform(0, 4)
            if order not in self.orders:
                self.orders.append(order)
                self._open.append(order)

    def wait_all(self, *, quiet_seconds: float) -> list[Order]:
        """Wait until every job is final, or nothing has changed for so long. Returns those that are stuck."""
        before, since = "", time.monotonic()
        while self.under_way:
            state = repr([(o.id, self._revision(o)) for o in self.under_way])
            if state != before:
                before, since = state, time.monotonic()
            if time.monotonic() - since > quiet_seconds:
                return self.under_way
            time.sleep(0.5)
        return []

    def join(self) -> None:
        """End the thread."""
        self._at_once = -1
        self._thread.join(60)

    def _revision(self, order: Order) -> Any:
        answer = self._stack.ask("GET", f"/v1/jobs/{order.id}")
        if answer is None or answer.status_code != 200:
            return time.monotonic()
        # A job that is held without getting on counts as stuck too: beats are no progress.
        return [answer.json()[name] for name in ("revision", "status", "attempt")]

    def _serve(self) -> None:
        while self._at_once >= 0:
            try:
                for order in self.under_way:
                    self._look_after(order)
                if not self._closed.is_set() and len(self._open) < self._at_once:
                    if new := next(self._source, None):
                        self.take(new, self._stack.submit(new.spec, key=new.key))
                    else:
                        self.stop()
                else:
                    time.sleep(0.1)
            except Stuck as error:
                self._stack.complaints.add(str(error))

    def _look_after(self, order: Order) -> None:
        answer = self._stack.ask("GET", f"/v1/jobs/{order.id}")
        if answer is None or answer.status_code == 503:
            return
        if answer.status_code == 404 and order.destroyed:
            with self._lock:
                self._open.remove(order)
            return
        if answer.status_code != 200:
            self._stack.complaints.add(f"{order.id} was accepted, and now: {answer.status_code} {answer.text}")
            with self._lock:
                self._open.remove(order)
            return
        status = answer.json()["status"]
        if status in FINAL:
            with self._lock:
                self._open.remove(order)
        elif order.stop_reason == "cancel" and time.monotonic() > order.cancel_at:
            self._stack.ask("POST", f"/v1/jobs/{order.id}/cancel")
        elif order.stop_reason == "pause" and status == "running":
            order.stop_reason = "resume"
            self._stack.ask("POST", f"/v1/jobs/{order.id}/pause")
        elif status == "paused":
            self._stack.ask("POST", f"/v1/jobs/{order.id}/resume")


class Readers:
    """Threads that wait for changes of jobs under way, as a page would; a final job must stay as it is."""

    def __init__(self, stack: Stack, customers: Customers, *, count: int, rng: random.Random) -> None:
        self._stack, self._customers, self._rng = stack, customers, rng
        self._closed = threading.Event()
        self._final: dict[str, str] = {}
        self._threads = [threading.Thread(target=self._read, name=f"reader-{n}", daemon=True) for n in range(count)]
        self.answers = 0

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._closed.set()
        for thread in self._threads:
            thread.join(20)

    def _read(self) -> None:
        while not self._closed.is_set():
            known = self._customers.orders
            if not known:
                time.sleep(0.2)
                continue
            order = self._rng.choice(known[-15:])
            job_id = order.id
            answer = self._stack.ask("GET", f"/v1/jobs/{job_id}", headers={"Prefer": "wait=5"})
            if answer is None or answer.status_code == 503:
                self._closed.wait(0.2)
                continue
            self.answers += 1
            if answer.status_code == 404 and order.destroyed:
                continue
            if answer.status_code != 200:
                self._stack.complaints.add(f"a reader of {job_id} got {answer.status_code}")
            elif (status := answer.json()["status"]) in FINAL:
                if self._final.setdefault(job_id, status) != status:
                    self._stack.complaints.add(f"{job_id} was {self._final[job_id]} and is {status}")
                self._closed.wait(0.2)
