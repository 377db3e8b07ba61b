"""What a worker's main process makes of Celery."""

from unittest.mock import Mock

from celery import signals

from worker.app import exit_code


def test_a_workers_failure_is_its_exit_code() -> None:
    assert exit_code() == 0
    signals.worker_shutdown.send(sender=Mock(exitcode=1))
    try:
        assert exit_code() == 1
    finally:
        signals.worker_shutdown.send(sender=Mock(exitcode=None))
