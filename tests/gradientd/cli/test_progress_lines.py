"""What a person reads while a job runs."""

import pytest

from gradientd.cli.progress_lines import ProgressLines, epoch_line, figure, rate
from gradientd.client.follow import Update
from jobs.states import Reason, Status
from tests.gradientd.samples import epoch_event, failed_job, sample_epoch, sample_job, status_event, succeeded_job


def lines_for(*updates: Update, seconds_between: float = 10.0) -> list[str]:
    """All lines for the updates, which come so many seconds apart."""
    times = (seconds_between * turn for turn in range(1000))
    progress_lines = ProgressLines(clock=lambda: next(times))
    return [line for update in updates for line in progress_lines.lines(update)]


def test_a_job_is_told_from_queue_to_accuracy() -> None:
    lines = lines_for(
        Update(job=sample_job(queue_position=2), events=(status_event(1, Status.QUEUED),)),
        Update(
            job=sample_job(Status.RUNNING, worker="worker-1", attempt=1),
            events=(status_event(2, Status.RUNNING, attempt=1), epoch_event(3, 1)),
        ),
        Update(job=succeeded_job(), events=(epoch_event(4, 2), epoch_event(5, 3), status_event(6, Status.SUCCEEDED))),
    )
    assert lines == [
        "queued, 2 ahead of it",
        "running on worker-1",
        "epoch 1/3  loss 0.3000 acc 0.9000  val loss 0.2000 acc 0.9100  142k ex/s",
        "epoch 2/3  loss 0.1500 acc 0.9000  val loss 0.2000 acc 0.9100  142k ex/s",
        "epoch 3/3  loss 0.1000 acc 0.9000  val loss 0.2000 acc 0.9100  142k ex/s",
        "succeeded: test accuracy 0.9612 after 3 of 3 epochs in 5.2 s",
    ]


def test_fast_epochs_are_told_at_a_calm_rate_and_the_last_one_always() -> None:
    events = tuple(epoch_event(number, number) for number in range(1, 30))
    lines = lines_for(
        Update(job=sample_job(Status.RUNNING), events=events[:20]),
        Update(job=succeeded_job(), events=events[20:]),
        seconds_between=0.2,
    )
    told = [int(line.split()[1].partition("/")[0]) for line in lines if line.startswith("epoch")]
    assert told == [1, 6, 11, 16, 21, 26, 29]


def test_a_requeue_says_why_and_the_next_run_says_which_attempt() -> None:
    requeued = status_event(7, Status.QUEUED, attempt=1)
    requeued = requeued.model_copy(update={"data": requeued.data | {"reason": Reason.WORKER_LOST.value}})
    lines = lines_for(
        Update(
            job=sample_job(Status.RUNNING, worker="worker-2", attempt=2),
            events=(requeued, status_event(8, Status.RUNNING, attempt=2)),
        )
    )
    assert lines == ["queued (worker lost)", "running on worker-2, attempt 2"]


def test_an_earlier_run_is_not_laid_to_the_present_worker() -> None:
    events = (status_event(2, Status.RUNNING, attempt=1), status_event(4, Status.RUNNING, attempt=2))
    lines = lines_for(Update(job=sample_job(Status.RUNNING, worker="worker-2", attempt=2), events=events))
    assert lines == ["running", "running on worker-2, attempt 2"]


def test_a_failure_says_what_and_why() -> None:
    assert lines_for(Update(job=failed_job())) == ["failed: Loss is not finite: the loss became nan at step 7"]


def test_a_cancelled_job_says_so() -> None:
    job = sample_job(Status.CANCELLED, status_reason=Reason.USER_REQUESTED)
    assert lines_for(Update(job=job)) == ["cancelled (user requested)"]


def test_an_absence_of_the_server_is_told_once_and_its_end_too() -> None:
    away = Update(job=sample_job(), trouble="no answer")
    assert lines_for(away, away, Update(job=sample_job())) == ["no answer; trying again", "the server answers again"]


def test_epochs_of_a_newer_worker_are_understood() -> None:
    event = epoch_event(1, 1)
    event = event.model_copy(update={"data": sample_epoch(1).model_dump(mode="json") | {"val_top_5": 1.0}})
    assert len(lines_for(Update(job=sample_job(Status.RUNNING), events=(event,)))) == 1


@pytest.mark.parametrize("epochs", [3, 99, 10_000])
def test_an_epochs_line_fits_the_terminal_and_its_columns_stay_aligned(epochs: int) -> None:
    lines = [
        epoch_line(sample_epoch(3).model_copy(update=changes | {"epoch": epoch}), epochs=epochs)
        for epoch in (1, epochs)
        for changes in (
            {"loss": 0.01, "examples_per_second": 850.0},
            {"loss": 12345.6, "val_loss": 9.99999, "examples_per_second": 3_716.0},
            {"loss": float("nan"), "val_loss": float("inf"), "examples_per_second": 123_456_789.0},
        )
    ]
    assert max(map(len, lines)) <= 80
    assert len({len(line) for line in lines}) == 1
    assert len({line.index("val loss") for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0209, "0.0209"),
        (0.0, "0.0000"),
        (9.99999, "10.000"),
        (12.3456, "12.346"),
        (1234.56, "1234.6"),
        (12345.6, " 12346"),
        (1e6, " 1e+06"),
        (float("nan"), "   nan"),
    ],
)
def test_a_figure_has_six_characters(value: float, shown: str) -> None:
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [
        (0.0, "0"),
        (850.4, "850"),
        (999.6, "1.0k"),
        (3_716, "3.7k"),
        (9_949, "9.9k"),
        (9_960, "10k"),
        (142_000, "142k"),
        (999_600, "1.0M"),
        (1.2e9, "1.2G"),
    ],
)
def test_a_rate_has_four_characters_at_most(per_second: float, shown: str) -> None:
    assert rate(per_second) == shown
