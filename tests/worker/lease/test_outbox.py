"""What waits to be sent is merged, numbered once, and sent again until it has arrived."""

import threading

from jobs.record import Progress
from jobs.states import Phase
from tests.conftest import wait_until
from tests.worker.lease.test_lease import epoch
from worker.lease.outbox import Outbox


def at(step: int) -> Progress:
    return Progress(epochs=1, step=step, steps=10)


def test_the_newest_is_sent_and_every_epoch() -> None:
    outbox = Outbox(wake=lambda: None)
    for number in (1, 2):
        outbox.add(progress=at(number))
        outbox.add(epoch=epoch(number))
    report = outbox.take()
    assert report
    assert (report.number, report.progress, [e.epoch for e in report.epochs]) == (1, at(2), [1, 2])
    assert not outbox.empty
    outbox.sent()
    assert outbox.empty


def test_a_report_that_has_not_arrived_is_the_same_again() -> None:
    outbox = Outbox(wake=lambda: None)
    outbox.add(phase=Phase.TRAINING)
    first = outbox.take()
    outbox.add(phase=Phase.EVALUATING)
    assert outbox.take() is first
    outbox.sent()
    second = outbox.take()
    assert second
    assert (second.number, second.phase) == (2, Phase.EVALUATING)


def test_progress_alone_is_not_urgent_until_somebody_waits_for_it() -> None:
    wakes: list[None] = []
    outbox = Outbox(wake=lambda: wakes.append(None))
    outbox.add(progress=at(1))
    assert not outbox.urgent
    gone = threading.Event()
    waiting = threading.Thread(target=outbox.flush, args=(gone.is_set,))
    waiting.start()
    wait_until(lambda: outbox.urgent, what="the flush")
    wait_until(lambda: len(wakes) == 2, what="a wake for each")
    outbox.take()
    assert waiting.is_alive()
    outbox.sent()
    waiting.join(10)
    assert not waiting.is_alive()


def test_who_flushes_can_give_up() -> None:
    outbox = Outbox(wake=lambda: None)
    outbox.add(phase=Phase.TRAINING)
    gone = threading.Event()
    waiting = threading.Thread(target=outbox.flush, args=(gone.is_set,))
    waiting.start()
    gone.set()
    outbox.give_up_changed()
    waiting.join(10)
    assert not waiting.is_alive()
