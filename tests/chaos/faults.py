"""The faults: each breaks one thing, at a random moment or at a named point, and puts right only what would not heal.

A fault answers whether it took place: a point that nobody passed in time, or a process that was just being started,
is not counted.
"""

import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count

import psutil
import redis

from gradientd.local.aof import newest_file
from jobs.errors import StoreUnavailable
from jobs.settings import Settings
from store.calls import connect, run
from store.doorbell import DRAIN, make_celery
from store.jobs import Store
from store.lanes import Lanes
from tests.chaos import clock
from tests.chaos.points import SPEECH
from tests.chaos.stack import LEASE_SECONDS, Stack
from tests.chaos.work import Customers, order

WAKE_QUEUES = Lanes.WAKE_QUEUES[Lanes.ANY]
LESS, MORE = (0.3, 0.6 * LEASE_SECONDS), (1.2 * LEASE_SECONDS, 2 * LEASE_SECONDS)
"""How long something is frozen: less or more than a lease, in seconds."""
POINT_SECONDS = 8.0
"""How long to wait for somebody to pass a point."""
SMALLEST_MEMORY, ALL_MEMORY = "1mb", "0"


@dataclass(frozen=True)
class Fault:
    """One way to break things."""

    name: str
    inject: Callable[[], bool]
    weight: int = 2
    """How often among its like; 0 for what takes the whole stack down, seldom and on the main thread."""
    heavy: bool = False
    """Takes a process away for seconds: only so many at a time, or nothing would ever be trained."""


class Faults:
    """All faults, for one stack and its customers."""

    def __init__(self, stack: Stack, customers: Customers, *, rng: random.Random) -> None:
        self._stack, self._customers, self._rng = stack, customers, rng
        self._numbers = count(1)
        self._old_bells: list[str] = []
        self._rings = threading.Lock()

    def all(self) -> list[Fault]:
        """Every kind, with its weight."""
        return [*self._kills(), *self._freezes(), *self._store(), *self._bells(), *self._requests(), *self._whole()]

    def _kills(self) -> list[Fault]:
        heavy = partial(Fault, heavy=True)
        return [
            heavy("kill trainer", lambda: self._kill("trainer"), weight=4),
            *(
                heavy(f"kill trainer at {point}", partial(self._kill_at, point))
                for point in ("claimed", "tracing", "epoch", "checkpoint", "checkpointed")
            ),
            *(
                heavy(f"kill trainer at {point}", partial(self._kill_at, point))
                for point in ("export", "exported", "finish", "finished")
            ),
            heavy("kill trainer at requeue", self._kill_at_requeue),
            heavy("kill trainer amid import", self._kill_at_import),
            heavy("kill worker", lambda: self._kill("worker")),
            heavy("kill worker's group", self._kill_group),
            heavy("kill api", lambda: self._kill("api")),
            heavy("kill api before bell", partial(self._kill_at, "bell")),
            heavy("kill store", lambda: self._kill("valkey")),
            heavy("SIGTERM worker", lambda: self._kill("worker", signal.SIGTERM)),
            heavy("job kills its process", partial(self._deadly_job, "kill", most=2), weight=1),
            heavy("job hangs in a step", partial(self._deadly_job, "hang", most=1), weight=1),
        ]

    def _freezes(self) -> list[Fault]:
        return [
            *(
                Fault(f"freeze {kind} {word} lease", partial(self._freeze, kind, span), heavy=True)
                for kind in ("trainer", "worker and trainer", "valkey", "api")
                for word, span in (("under a", LESS), ("over a", MORE))
            ),
            Fault("freeze heartbeat", self._freeze_heartbeat, heavy=True),
        ]

    def _store(self) -> list[Fault]:
        return [
            Fault("cut connections (CLIENT KILL)", self._client_kill, weight=5),
            Fault("cut connections (line)", self._cut_line, weight=5),
            *(
                Fault(f"drop reply of {script}", partial(self._drop, script), weight=5)
                for script in ("create", "claim", "report", "finish")
            ),
            *(
                Fault(f"drop reply of {script}", partial(self._drop, script))
                for script in ("beat", "requeue", "cancel", "upkeep", "get")
            ),
            Fault("step the store's clock", self._step_clock, weight=3),
            Fault("lose a record", self._lose_record, weight=3),
            Fault("fill store's memory", self._fill_store, weight=4),
            Fault("torn end of AOF", partial(self._damage_aof, b"*3\r\n$3\r\nSET\r\n$9\r\nchaos:to"), heavy=True),
            Fault("zeros at end of AOF", partial(self._damage_aof, bytes(64)), heavy=True),
            Fault("fill trainers' disk (RLIMIT_FSIZE)", self._limit_trainers, weight=4),
            Fault("fill disk", self._fill_disk, weight=4, heavy=True),
        ]

    def _bells(self) -> list[Fault]:
        return [
            Fault("flush Celery's lists", self._flush_bells, weight=5),
            Fault("double bell", self._double_bell, weight=4),
            Fault("stale bell", self._stale_bell, weight=4),
            Fault("surplus bells", self._surplus_bells, weight=3),
            Fault("reaper dies before it rings", self._silent_reaper, weight=4),
        ]

    def _requests(self) -> list[Fault]:
        return [
            Fault("one Idempotency-Key twice at once", self._twice_at_once, weight=4),
            *(
                Fault(f"cancel races {point}", partial(self._cancel_at, point), weight=4)
                for point in ("claimed", "finish", "requeue")
            ),
            Fault("pause races finish", partial(self._cancel_at, "finish", action="pause"), weight=3),
            Fault("cancel a running job", self._cancel_running, weight=2),
        ]

    def _whole(self) -> list[Fault]:
        return [
            Fault("kill supervisor", self._stack.kill_supervisor, weight=0, heavy=True),
            Fault(
                "restart everything under readers",
                lambda: self._stack.kill_supervisor(signal.SIGTERM),
                weight=0,
                heavy=True,
            ),
        ]

    # --- processes --------------------------------------------------------------------------------

    def _kill(self, kind: str, how: signal.Signals = signal.SIGKILL) -> bool:
        process = self._stack.any_part(kind, self._rng)
        if process is None:
            return False
        with suppress(psutil.Error):
            process.send_signal(how)
            return True
        return False

    def _kill_group(self) -> bool:
        process = self._stack.any_part("worker", self._rng)
        if process is None or os.getpgid(process.pid) != process.pid:
            return False
        os.killpg(process.pid, signal.SIGKILL)
        return True

    def _kill_at(self, point: str) -> bool:
        return self._at(point, "kill") is not None

    def _at(self, point: str, verb: str, *words: str) -> tuple[int, str] | None:
        token = self._stack.arm(point, verb, *words)
        passed = self._stack.fired(token, seconds=POINT_SECONDS)
        if passed is None:
            self._stack.disarm(point)
        return passed

    def _kill_at_import(self) -> bool:
        return self._kill("trainer") and self._at("import", "kill") is not None

    def _kill_at_requeue(self) -> bool:
        token = self._stack.arm("requeue", "kill")
        self._cancel_running()
        passed = self._stack.fired(token, seconds=POINT_SECONDS)
        self._stack.disarm("requeue")
        return passed is not None

    def _deadly_job(self, stop_reason: str, *, most: int) -> bool:
        """A job that does the same to its trainer in each of its attempts."""
        metadata = {"chaos": stop_reason}
        made = order(
            next(self._numbers), "softmax", stop_reason=stop_reason, metadata=metadata, max_attempts=most, priority=50
        )
        made.key = made.spec["metadata"]["key"] = f"deadly-{made.key}"
        self._customers.take(made, self._stack.submit(made.spec, key=made.key))
        return True

    def _freeze(self, kind: str, span: tuple[float, float]) -> bool:
        process = self._stack.any_part(kind.partition(" ")[0], self._rng)
        if process is None:
            return False
        with suppress(psutil.Error):
            frozen = [process, *(process.children() if "and" in kind else [])]
            for each in frozen:
                each.suspend()
            try:
                time.sleep(self._rng.uniform(*span))
            finally:
                for each in frozen:
                    with suppress(psutil.Error):
                        each.resume()
            return True
        return False

    def _freeze_heartbeat(self) -> bool:
        passed = self._at(SPEECH, "sleep", f"{self._rng.uniform(*MORE):.2f}")
        if passed:
            time.sleep(MORE[1])
        return passed is not None

    def _fill_disk(self) -> bool:
        with self._stack.full_disk():
            time.sleep(self._rng.uniform(1.0, 4.0))
        return True

    def _limit_trainers(self) -> bool:
        """For a while the kernel lets the trainers write only the first bytes of a file, then refuses."""
        limited: list[int] = []
        for process in self._stack.parts("trainer"):
            with suppress(OSError, ValueError):
                _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (512, hard))
                limited.append(process.pid)
        time.sleep(self._rng.uniform(0.5, 2.5))
        for pid in limited:
            with suppress(OSError, ValueError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        return bool(limited)

    # --- the store --------------------------------------------------------------------------------

    def _client_kill(self) -> bool:
        with suppress(redis.RedisError):
            self._stack.admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")
            self._stack.admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            return True
        return False

    def _cut_line(self) -> bool:
        self._stack.line.cut_all()
        return True

    def _drop(self, script: str) -> bool:
        dropped = self._stack.line.drop_reply(script)
        if script in ("cancel", "requeue"):
            self._cancel_running()
        if dropped.wait(POINT_SECONDS):
            return True
        self._stack.line.forget(script)
        return False

    def _fill_store(self) -> bool:
        with suppress(redis.RedisError):
            self._stack.admin.config_set("maxmemory", SMALLEST_MEMORY)
            time.sleep(self._rng.uniform(0.3, 2.0))
            return self._empty_store()
        self._empty_store()
        return False

    def _step_clock(self) -> bool:
        """An hour ahead, back, or far behind where it was: each step is both, for what was written before."""
        with suppress(redis.RedisError):
            self._stack.admin.set(clock.key(self._stack.keys), self._rng.choice((-86_400, -3600, -10, 0, 10, 3600)))
            return True
        return False

    def _lose_record(self) -> bool:
        """As an evicting or damaged store does it. Whose record it was, cannot end; all behind it must."""
        under_way = self._customers.under_way
        if not under_way:
            return False
        victim = self._rng.choice(under_way)
        # Before, not after: nobody is to complain of what is about to happen.
        victim.destroyed = True
        with suppress(redis.RedisError):
            if self._stack.admin.delete(self._stack.keys.job(victim.id)):
                return True
        return False

    def _empty_store(self) -> bool:
        for _ in range(100):  # a store that was killed meanwhile starts without the limit
            with suppress(redis.RedisError):
                self._stack.admin.config_set("maxmemory", ALL_MEMORY)
                return True
            time.sleep(0.1)
        return False

    def _damage_aof(self, ending: bytes) -> bool:
        """As a power cut leaves it: a command half written, or zeros, behind everything that was acknowledged."""
        store = self._stack.any_part("valkey", self._rng)
        if store is None:
            return False
        with suppress(psutil.Error, OSError), newest_file(self._stack.folder / "data" / "valkey").open("ab") as file:
            store.kill()
            until_gone(store)
            file.write(ending)
            return True
        return False

    # --- bells ------------------------------------------------------------------------------------

    def _flush_bells(self) -> bool:
        with suppress(redis.RedisError):
            prefix = self._stack.keys.broker_prefix
            self._note_bells()
            self._stack.admin.delete(
                self._stack.keys.wake_queue(WAKE_QUEUES), f"{prefix}unacked", f"{prefix}unacked_index"
            )
            return True
        return False

    def _note_bells(self) -> None:
        rows: list[str] = self._stack.admin.lrange(self._stack.keys.wake_queue(WAKE_QUEUES), 0, 0)  # pyright: ignore[reportAssignmentType]
        self._old_bells = [*self._old_bells, *rows][-20:]

    def _ring(self, times: int, *, task_id: str | None = None) -> bool:
        # The suite's own broker connection may be cut by another fault: then this one did not take place.
        settings = Settings.model_validate(
            {"redis_url": self._stack.store_url, "namespace": self._stack.keys.namespace, "data_dir": "."}
        )
        with self._rings, suppress(Exception), make_celery(settings) as celery:
            for _ in range(times):
                celery.send_task(DRAIN, queue=WAKE_QUEUES, retry=False, task_id=task_id)
            self._note_bells()
            return True
        return False

    def _double_bell(self) -> bool:
        return self._ring(2, task_id=f"{self._rng.getrandbits(64):x}")

    def _surplus_bells(self) -> bool:
        return self._ring(10)

    def _stale_bell(self) -> bool:
        if not self._old_bells:
            self._ring(1)
        with suppress(redis.RedisError, IndexError):
            self._stack.admin.lpush(self._stack.keys.wake_queue(WAKE_QUEUES), self._rng.choice(self._old_bells))
            return True
        return False

    def _silent_reaper(self) -> bool:
        """Sweep, and leave undone what the sweep says is to be done."""
        settings = Settings.model_validate({"redis_url": self._stack.store_url, "data_dir": "."})
        with suppress(StoreUnavailable), connect(settings) as client:
            run(client, Store(self._stack.keys, LEASE_SECONDS).upkeep(every_seconds=0))
            return True
        return False

    # --- requests ---------------------------------------------------------------------------------

    def _twice_at_once(self) -> bool:
        made = order(next(self._numbers), self._rng.choice(("mlp graph", "softmax")))
        made.key = made.spec["metadata"]["key"] = f"twin-{made.key}"
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(self._stack.submit, made.spec, key=made.key) for _ in range(2)]
            for one in both:
                self._customers.take(made, one.result())
        return True

    def _cancel_at(self, point: str, *, action: str = "cancel") -> bool:
        """Hold somebody at a point and cancel their job meanwhile."""
        token = self._stack.arm(point, "sleep", "0.4")
        if point == "requeue":
            self._cancel_running(action="pause")
        passed = self._stack.fired(token, seconds=POINT_SECONDS)
        if passed is None:
            self._stack.disarm(point)
            return False
        return self._act_on(passed[1], action)

    def _cancel_running(self, *, action: str = "cancel") -> bool:
        busy = [worker["job_id"] for worker in self._stack.workers() if worker["job_id"]]
        return bool(busy) and self._act_on(self._rng.choice(busy), action)

    def _act_on(self, job_id: str, action: str) -> bool:
        for known in self._customers.orders:
            if job_id in known.ids:
                known.may_be_cancelled |= action == "cancel"
                answer = self._stack.ask("POST", f"/v1/jobs/{job_id}/{action}")
                return answer is not None and answer.status_code in {200, 202, 409}
        return False


def until_gone(process: psutil.Process) -> None:
    """Return once a killed process is no more; its parent may not have collected it yet."""
    with suppress(psutil.Error):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.005)
