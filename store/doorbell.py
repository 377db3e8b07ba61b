"""The doorbell: Celery carries no job, it only wakes a worker, which then claims one from the store."""

import contextlib
import os
from types import ModuleType
from typing import Any
from urllib.parse import quote

import redis
import structlog
from celery import Celery
from celery.loaders.app import AppLoader
from kombu import Queue
from kombu.exceptions import OperationalError

from jobs.settings import Settings
from store.keys import Keys
from store.lanes import Lanes

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
    url, tls = _broker(settings.redis_url.get_secret_value())
    celery = Celery("gradientd", broker=url, loader=Loader, fixups=[], set_as_current=False)
    celery.conf.update(
        broker_use_ssl=tls,
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
            "visibility_timeout": 3600,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
    )
    return celery


def _broker(redis_url: str) -> tuple[str, dict[str, Any] | None]:
    """The store as Celery names it: kombu's URL, and its options for TLS, None for a store without.

    kombu knows Unix sockets by another scheme, takes the database from the path alone, and speaks TLS only if told so
    beside the URL.
    """
    options: dict[str, Any] = redis.ConnectionPool.from_url(redis_url).connection_kwargs  # pyright: ignore[reportUnknownMemberType]
    database = options.get("db", 0)
    user, password = (quote(str(options.get(name) or ""), safe="") for name in ("username", "password"))
    login = f"{user}:{password}@" if user or password else ""
    if path := options.get("path"):
        return f"redis+socket://{login}{quote(path)}?virtual_host={database}", None
    host, port = quote(options.get("host", "localhost"), safe=""), options.get("port", 6379)
    place = f"{login}{host}:{port}/{database}"
    if not redis_url.startswith("rediss:"):
        return f"redis://{place}", None
    given = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return f"rediss://{place}", {"ssl_cert_reqs": "required", **given}


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
                log.warning("bell_not_rung", wake_queue=wake_queue, error=str(error))
                return

    def warm(self) -> None:
        """Do ahead what the first bell would wait for. A broker that is away is left to the bells."""
        with contextlib.suppress(OperationalError, OSError), self._celery.producer_or_acquire() as producer:
            producer.connection.ensure_connection(max_retries=1, interval_start=0)
            producer.maybe_declare(self._celery.amqp.queues[Lanes.WAKE_QUEUES[Lanes.ANY]])

    def close(self) -> None:
        """Close the broker's connections."""
        with contextlib.suppress(OSError):
            self._celery.close()
