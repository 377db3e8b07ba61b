"""The storm: customers, readers and faults all at once, then calm, then the verdict."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.faults import Fault, Faults
from tests.chaos.stack import Stack
from tests.chaos.verdict import Reference, Verdict, judge, reference
from tests.chaos.work import KINDS, Customers, Readers, order, orders

HEAVY_EVERY_SECONDS = 4.0
"""A killed trainer takes some 8 s to come back: more often, and nothing would be trained."""
WHOLE_EVERY = 90
"""Faults between two that take the whole stack down."""
QUIET_SECONDS = 90.0
"""Calm without any change after which the jobs left are stuck."""
UNSEEN = 4
"""How much likelier a fault is that has not taken place yet."""
MOST_FOR_THE_RAREST = 1.3
"""Share of the faults asked for after which those that never took place are not waited for any longer."""
READERS = 8
AT_ONCE = 10
"""Jobs under way at once."""


def references(stack: Stack, kinds: dict[str, dict[str, object]] | None = None) -> dict[str, Reference]:
    """Each kind of job once, with nobody in its way."""
    customers = Customers(stack, iter(()), rng=random.Random(0), at_once=0)
    for n, kind in enumerate(KINDS):
        changes = (kinds or {}).get(kind, {})
        if kinds is None or kind in kinds:
            one = order(n, kind, **changes)  # pyright: ignore[reportArgumentType]
            customers.take(one, stack.submit(one.spec, key=f"reference-{n}-{one.spec['epochs']}"))
    customers.start()
    stuck = customers.wait_all(quiet_seconds=QUIET_SECONDS)
    customers.join()
    assert not stuck, f"not even undisturbed did these end: {stuck}"
    return {one.kind: reference(stack, one.id) for one in customers.orders}


class Storm:
    """At least so many jobs and faults, or whatever fits into so many minutes."""

    def __init__(self, stack: Stack, *, rng: random.Random, jobs: int, faults: int, minutes: float | None) -> None:
        self.injected: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._stack, self._rng = stack, rng
        self._jobs, self._faults, self._minutes = jobs, faults, minutes
        self._references: dict[str, Reference] = {}
        self.customers = Customers(
            stack, orders(random.Random(rng.random())), rng=random.Random(rng.random()), at_once=AT_ONCE
        )
        self.readers = Readers(stack, self.customers, count=READERS, rng=random.Random(rng.random()))
        self._kinds = Faults(stack, self.customers, rng=random.Random(rng.random())).all()
        self.injected.update({fault.name: 0 for fault in self._kinds})
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def run(self) -> Verdict:
        """References, storm, calm, verdict."""
        self._stack.wait_ready()
        self._references = references(self._stack)
        before = _reference_ids(self._stack)
        self._say(f"{len(before)} uninterrupted runs known; the storm begins")
        self.customers.start()
        self.readers.start()
        self._rage()
        self._say("calm: waiting for what is left")
        self.customers.stop()
        self._stack.thaw()
        self._stack.wait_ready()
        stuck = self.customers.wait_all(quiet_seconds=QUIET_SECONDS)
        self.customers.join()
        self.readers.stop()
        self._say("looking at every job")
        verdict = judge(self._stack, self.customers.orders, self._references, stuck=stuck)
        verdict.duplicated = [text for text in verdict.duplicated if text.partition(":")[0] not in before]
        return verdict

    def _rage(self) -> None:
        heavy_at, whole_at, said_at = 0.0, WHOLE_EVERY // 2, time.monotonic()
        wholes = [fault for fault in self._kinds if fault.weight == 0]
        light = [fault for fault in self._kinds if not fault.heavy]
        heavy = [fault for fault in self._kinds if fault.heavy and fault.weight]
        with ThreadPoolExecutor(12, thread_name_prefix="fault") as pool:
            while not self._is_over():
                done = self.injected.total()
                if self._is_ahead():
                    pass  # so many faults let no job through: wait for some
                elif done >= whole_at:
                    whole_at += WHOLE_EVERY
                    self._inject(wholes[(done // WHOLE_EVERY) % len(wholes)])
                    self._stack.wait_ready()
                elif time.monotonic() > heavy_at:
                    heavy_at = time.monotonic() + HEAVY_EVERY_SECONDS * self._rng.uniform(0.5, 1.5)
                    self._try(pool, heavy)
                else:
                    self._try(pool, light)
                self._stack.revive()
                time.sleep(self._rng.uniform(0.2, 1.2))
                if time.monotonic() - said_at > 20:
                    said_at = time.monotonic()
                    self._say("under way")

    def _try(self, pool: ThreadPoolExecutor, kinds: list[Fault]) -> None:
        weights = [kind.weight * (1 if self.injected[kind.name] else UNSEEN) for kind in kinds]
        fault = self._rng.choices(kinds, weights=weights)[0]
        # The same fault is not laid twice at once: its second order would take the place of the first.
        with self._lock:
            if self._busy[fault.name] or self._busy.total() >= 12:
                return
            self._busy[fault.name] = 1
        pool.submit(self._inject, fault)

    def _inject(self, fault: Fault) -> None:
        try:
            took_place = fault.inject()
        except Exception as error:  # noqa: BLE001 (a fault that failed is told, and is not the end of the run)
            self._stack.complaints.add(f"the fault {fault.name!r} itself failed: {type(error).__name__}: {error}")
            took_place = False
        with self._lock:
            (self.injected if took_place else self.missed)[fault.name] += 1
            self._busy[fault.name] = 0

    def _is_ahead(self) -> bool:
        """Whether the faults are further along than the jobs."""
        return self.injected.total() * self._jobs > (self.customers.accepted + AT_ONCE) * self._faults

    def _is_over(self) -> bool:
        if self._minutes is not None:
            return time.monotonic() - self._began > 60 * self._minutes
        total, absent = self.injected.total(), not all(self.injected.values())
        enough = total >= self._faults and self.customers.accepted >= self._jobs
        return enough and (not absent or total >= MOST_FOR_THE_RAREST * self._faults)

    def _say(self, what: str) -> None:
        accepted, open_jobs = self.customers.accepted, len(self.customers.under_way)
        print(
            f"[{time.monotonic() - self._began:5.0f} s] {self.injected.total()} faults, {accepted} jobs accepted, "
            f"{accepted - open_jobs} ended: {what}",
            flush=True,
        )


def _reference_ids(stack: Stack) -> list[str]:
    return [job["id"] for job in stack.get("/v1/jobs", params={"limit": 100})["data"]]
