"""Assembles a whole gradientd on this machine, a store, an API and workers, and runs it under the supervisor."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pydantic import SecretStr

from gradientd.local.directory import DataDirectory
from gradientd.local.errors import CannotStart
from gradientd.local.machine import base_url, claim_port, cores, gpus
from gradientd.local.output import Output
from gradientd.local.probes import Probes
from gradientd.local.process import Launch
from gradientd.local.service_runner import Patience, Service
from gradientd.local.supervisor import Supervisor
from gradientd.local.valkey import LOOPBACK, EmbeddedStore
from jobs.api_keys import Scope, entry_of, new_key, new_secret, read_entries
from jobs.exposure import check_exposure
from jobs.settings import Settings

Command = tuple[str, ...]

OWN = "gradientd-up"
"""Owner of the stack's own key."""


GREETINGS = (
    "All log messages before absl::InitializeLog()",
    "oneDNN custom operations are on",
    "This TensorFlow binary is optimized",
    "To enable the following instructions",
    "Error parsing text-format tensorflow.XlaSerializedCacheEntry",  # it tries text first; the entry is binary
    "calling self.run()",
)
"""What TensorFlow and Celery say of every worker, whatever they are told to keep to themselves, and no user needs."""


def module(name: str) -> Command:
    """Run a module with this Python; `-P` keeps the current directory's modules from being taken for ours."""
    return (sys.executable, "-P", "-m", name)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run. The commands are fields so that tests can put small stand-ins in their place."""

    settings: Settings
    workers: int | None = None
    """How many; None is one for each GPU, or one."""
    own_store: bool = True
    """Whether to start the embedded store; otherwise `settings.redis_url` is used."""
    api_command: Command = field(default_factory=partial(module, "api"))
    worker_command: Command = field(default_factory=partial(module, "worker"))
    patience: Patience = field(default_factory=Patience)


class Stack:
    """A stack that can run: its port is free and, with a store of its own, its data directory is locked.

    A context that gives the directory back; `run` it once.
    """

    def __init__(self, plan: Plan, *, output: Output) -> None:
        self._plan = plan
        self._output = output
        settings = plan.settings
        check_exposure(settings)
        read_entries(settings.api_keys.get_secret_value())
        self.api_key = new_secret() if settings.keys_required else None
        """A key of the stack's own, known to this process alone, where the API asks for keys."""
        self._port = claim_port(settings.host, settings.port)
        self.url = base_url(settings.host, self._port)
        self._directory = DataDirectory(settings.data_dir)
        self._store = self._embed_store() if plan.own_store else None
        stored = {"redis_url": SecretStr(self._store.url)} if self._store else {}
        self._settings = settings.model_copy(update=stored)
        self._gpus = () if settings.device == "cpu" else gpus(os.environ)
        self.workers = plan.workers or max(1, len(self._gpus))
        self._stop: Callable[[], object] = lambda: None

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        self._directory.unlock()

    async def run(self, *, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run until a signal or `request_stop`; on the main thread.

        Raises:
            CannotStart: there is no store at the given URL.
            GaveUp: a part did not become ready.
        """
        async with Probes(settings=self._settings, api_url=self.url, api_key=self.api_key) as probes:
            if self._store is None and (complaint := await probes.store_complaint()):
                place = self._settings.store_address.place
                raise CannotStart(f"the store at {place} does not answer: {complaint}")
            supervisor = Supervisor(self._tiers(probes), output=self._output, patience=self._plan.patience)
            loop = asyncio.get_running_loop()
            self._stop = partial(loop.call_soon_threadsafe, supervisor.request_stop)
            await supervisor.run(on_ready=on_ready)

    def request_stop(self) -> None:
        """End `run`, if it runs; asked again, in a hurry. From any thread."""
        self._stop()

    def _embed_store(self) -> EmbeddedStore:
        self._directory.lock(url=self.url)
        try:
            return EmbeddedStore(
                self._directory.path, port=claim_port(LOOPBACK, 0), lock_fd=self._directory.store_lock_fd
            )
        except CannotStart:
            self._directory.unlock()
            raise

    def _tiers(self, probes: Probes) -> list[list[Service]]:
        api = self._api(probes)
        workers = [self._worker(index, probes) for index in range(self.workers)]
        store = [self._store_service(self._store, probes)] if self._store else []
        return [tier for tier in (store, [api], workers) if tier]

    def _store_service(self, store: EmbeddedStore, probes: Probes) -> Service:
        return Service(
            name="valkey",
            launch=store.launch,
            is_ready=lambda launch: probes.store_answers(),
            describe=lambda launch: f"{LOOPBACK}:{store.port}, data in {store.directory}",
            # Advice on the kernel for large stores that fork; ours holds megabytes.
            hushed=("Memory overcommit must be enabled",),
            after_exit=store.after_exit,
            check=store.check_files,
            ready_within_seconds=600,  # a long history takes its time to load
            stop_within_seconds=10,
        )

    def _api(self, probes: Probes) -> Service:
        return Service(
            name="api",
            launch=lambda: Launch(name="api", command=self._plan.api_command, environment=self._api_environment()),
            is_ready=lambda launch: probes.api_is_ready(),
            describe=lambda launch: self.url,
            ready_within_seconds=60,
            stop_within_seconds=10,
        )

    def _worker(self, index: int, probes: Probes) -> Service:
        name = f"worker-{index + 1}"

        def launch() -> Launch:
            # A name for each start: a worker that died stays listed for a lease, and must not pass for its successor.
            unique = f"{name}-{secrets.token_hex(2)}"
            return Launch(
                name=unique, command=self._plan.worker_command, environment=self._worker_environment(index, unique)
            )

        return Service(
            name=name,
            launch=launch,
            is_ready=lambda launch: probes.worker_is_listed(launch.name),
            hushed=GREETINGS,
            ready_within_seconds=180,  # importing TensorFlow from a cold disk
            stop_within_seconds=30,
        )

    def _environment(self) -> Mapping[str, str]:
        settings = self._plan.settings
        return {
            "GRADIENTD_REDIS_URL": self._settings.redis_url.get_secret_value(),
            "GRADIENTD_NAMESPACE": settings.namespace,
            "GRADIENTD_DATA_DIR": str(self._directory.path),
            "GRADIENTD_HOST": settings.host,
            "GRADIENTD_PORT": str(self._port),
            "PYTHONUNBUFFERED": "1",
            "PYTHONSAFEPATH": "1",  # for what the parts start in turn
        }

    def _api_environment(self) -> Mapping[str, str]:
        settings = self._plan.settings
        keys = [settings.api_keys.get_secret_value()]
        keys += [entry_of(new_key(self.api_key, owner=OWN, scopes=[Scope.ADMIN]))] if self.api_key else []
        return {
            **self._environment(),
            "GRADIENTD_API_KEYS": " ".join(filter(None, keys)),
            "GRADIENTD_INSECURE": str(settings.insecure).lower(),
        }

    def _worker_environment(self, index: int, name: str) -> Mapping[str, str]:
        threads = self._plan.settings.threads or max(1, cores() // self.workers)
        pinned = {"CUDA_VISIBLE_DEVICES": self._gpus[index % len(self._gpus)]} if len(self._gpus) > 1 else {}
        return {
            **self._environment(),
            **pinned,
            "GRADIENTD_WORKER_NAME": name,
            "GRADIENTD_THREADS": str(threads),
        }
