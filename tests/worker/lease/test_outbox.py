"""What waits to be sent is merged, numbered once, and sent again until it has arrived."""

import threading

from jobs.record import LogLine, Progress
from jobs.states import Phase
from tests.conftest import wait_until
from tests.worker.lease.test_lease import epoch
from worker.lease.outbox import MOST_LOGS, Outbox


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


def test_what_remains_is_as_little_urgent_as_progress_and_a_log_line_is_urgent() -> None:
    outbox = Outbox(wake=lambda: None)
    outbox.add(remaining_seconds=0.0)
    assert (outbox.empty, outbox.urgent) == (False, False)
    outbox.add(log=LogLine.of("info", "so"))
    assert outbox.urgent


def test_of_log_lines_that_wait_the_last_are_kept() -> None:
    outbox = Outbox(wake=lambda: None)
    for number in range(MOST_LOGS + 5):
        outbox.add(log=LogLine.of("info", str(number)))
    report = outbox.take()
    assert report
    assert [line.message for line in report.logs] == [str(number) for number in range(5, MOST_LOGS + 5)]
