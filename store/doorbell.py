"""The doorbell: Celery carries no job, it only wakes a worker, which then claims one from the store."""

import contextlib
import os
from types import ModuleType
from typing import Any
from urllib.parse import quote

import structlog
from celery import Celery
from celery.loaders.app import AppLoader
from kombu import Queue
from kombu.exceptions import OperationalError

from jobs.settings import Settings
from jobs.store_address import StoreAddress
from store.keys import Keys
from store.lanes import Lanes
from store.tls import explained

DRAIN = "gradientd.drain"
"""Task name: claim and train jobs until none is left."""

log = structlog.get_logger(__name__)


class Loader(AppLoader):
    """Imports modules from where Python does.

    Celery's own looks in the current directory first, where a `worker.py` or a `jobs.py` may be anybody's.
    """

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> ModuleType:
        """Import a module, from nowhere else than usual."""
        return self.import_module(module, package=package)


def forget_other_apps() -> None:
    """Take out of the environment what Celery would do for another application of the user's: reach its broker, import
    its modules. For a process' main function."""
    for name in [name for name in os.environ if name.startswith(("CELERY_", "DJANGO_"))]:
        del os.environ[name]


def make_celery(settings: Settings) -> Celery:
    """The Celery app, for ringing as well as for answering. Connects to nothing yet.

    Each setting that departs from Celery's defaults does so for a measured reason; see CONTRIBUTING.md.
    """
    address = settings.store_address
    celery = Celery("gradientd", broker=_broker_url(address), loader=Loader, fixups=[], set_as_current=False)
    celery.conf.update(
        # Options that kombu finds in the URL would be another reading of it. Without these it would verify nothing.
        broker_use_ssl=dict(address.verification) or None,
        task_acks_late=False,
        task_ignore_result=True,
        task_reject_on_worker_lost=False,
        task_default_queue=Lanes.WAKE_QUEUES[Lanes.ANY],
        task_queues=[Queue(name) for name in Lanes.WAKE_QUEUES.values()],
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_pool="prefork",
        worker_pool_start_method="spawn",
        worker_concurrency=1,
        worker_proc_alive_timeout=120,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "global_keyprefix": Keys(settings.namespace).broker_prefix,
            # A bell that is lost is rung again. kombu's list of those under way is written to by a timer and at the
            # start, which a full store answers with errors that end the worker.
            "ack_emulation": False,
            **address.connection,
        },
    )
    return celery


def _broker_url(address: StoreAddress) -> str:
    """The store as Celery names it: kombu has another scheme for Unix sockets, and another place for their database."""
    user, password = (quote(text, safe="") for text in (address.username, address.password.get_secret_value()))
    login = f"{user}:{password}@" if user or password else ""
    if address.path is not None:
        return f"redis+socket://{login}{quote(address.path)}?virtual_host={address.database}"
    scheme = "rediss" if address.tls else "redis"
    return f"{scheme}://{login}{quote(address.host, safe='')}:{address.port}/{address.database}"


class Doorbell:
    """Wakes workers. Thread-safe."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def ring(self, wake_queue: str, times: int = 1) -> None:
        """Send so many bells. A broker that is away is only logged: upkeep rings what is missing."""
        for _ in range(times):
            try:
                self._celery.send_task(DRAIN, queue=wake_queue, retry=False)
            except (OperationalError, OSError) as error:
                log.warning("bell_not_rung", wake_queue=wake_queue, error=explained(error))
                return

    def warm(self) -> None:
        """Do ahead what the first bell would wait for. A broker that is away is left to the bells."""
        with contextlib.suppress(OperationalError, OSError), self._celery.producer_or_acquire() as producer:
            producer.connection.ensure_connection(max_retries=1, interval_start=0)
            producer.maybe_declare(self._celery.amqp.queues[Lanes.WAKE_QUEUES[Lanes.ANY]])

    def close(self) -> None:
        """Close the broker's connections."""
        with contextlib.suppress(OSError):
            # Celery itself only forgets them.
            pool: Any = self._celery.pool
            pool.force_close_all()
            self._celery.close()
