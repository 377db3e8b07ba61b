"""The worker's main process, as far as it can be seen from within."""

import pytest
from celery.concurrency.prefork import TaskPool

from worker import app


def test_a_pool_that_celery_let_go_of_has_no_trainers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app._main, "pool", TaskPool(limit=1))
    assert app._trainers() == []
