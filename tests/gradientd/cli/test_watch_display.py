"""What is shown of many jobs: a table within the terminal, a line for each change, or JSON."""

import io
import json
from datetime import timedelta

import pytest
from rich.console import Console

from gradientd.cli.looks import Look
from gradientd.cli.summaries import JobSummary, summary_of
from gradientd.cli.watch_display import ChangeLines, JsonLines, changes, table_lines
from jobs.record import Metrics, Progress
from jobs.states import Phase, Status
from tests.gradientd.cli.test_hostile_text import HOSTILE
from tests.gradientd.listing import slim
from tests.gradientd.samples import CREATED_AT, JOB_ID, sample_epoch, sample_job, succeeded_job

NOW = CREATED_AT + timedelta(minutes=1)
RUNNING = sample_job(
    Status.RUNNING,
    phase=Phase.TRAINING,
    worker="worker-1",
    attempt=1,
    responding=True,
    progress=Progress(
        epochs=3,
        steps=213,
        epoch=2,
        step=107,
        percent=50.0,
        steps_per_second=1234.0,
        loss=0.25,
        estimated_finish_at=NOW + timedelta(seconds=65),
    ),
    metrics=Metrics(latest=sample_epoch(1)),
)
QUEUED = sample_job(Status.QUEUED, queue_position=3)


def row(job: JobSummary, *, width: int = 200) -> list[str]:
    """The words of a job's row."""
    return table_lines(Look([job]), width=width, height=24, now=NOW)[1].plain.split()


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (RUNNING, "training ████░░░░ 50% 2/3 0.2500 0.9100 1.2k 1:05 mnist-10k"),
        (QUEUED, "3 ahead ░░░░░░░░ 0% 0/3 mnist-10k"),
        (QUEUED.model_copy(update={"queue_position": 0}), "queued ░░░░░░░░ 0% 0/3 mnist-10k"),
        (succeeded_job(), "succeeded ████████ 100% 3/3 0.1000 0.9612 in 5 s mnist-10k"),
        (RUNNING.model_copy(update={"responding": False}), "not responding ████░░░░ 50% 2/3 0.2500 0.9100 1.2k 1:05"),
        (sample_job(Status.PAUSED), "paused ░░░░░░░░ 0% 0/3 mnist-10k"),
    ],
)
def test_a_job_is_a_row(job: object, words: str) -> None:
    found = row(summary_of(job))  # type: ignore[arg-type]
    assert found[0] == JOB_ID.removeprefix("job_")
    assert " ".join(found[1:]).startswith(words)


def test_a_queued_job_tells_when_it_is_expected_to_begin() -> None:
    summary = summary_of(QUEUED).model_copy(update={"estimated_start_at": NOW + timedelta(seconds=20)})
    assert "from 20 s" in " ".join(row(summary))


def test_a_summary_is_the_same_whether_the_server_made_it_or_not() -> None:
    told = JobSummary.model_validate(slim(RUNNING), extra="ignore")
    whole = summary_of(RUNNING)
    assert told == whole


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    lines = table_lines(Look([summary_of(RUNNING), summary_of(succeeded_job())]), width=width, height=24, now=NOW)
    assert max(line.cell_len for line in lines) <= width
    if width >= 80:
        assert {"id", "status", "done", "accuracy", "ETA"} <= set(lines[0].plain.split())


def test_rows_that_do_not_fit_are_counted() -> None:
    lines = table_lines(Look([summary_of(RUNNING)] * 30), width=80, height=13, now=NOW)
    assert len(lines) == 12
    assert lines[-1].plain == "and 20 more"


def test_what_is_wrong_is_said_below() -> None:
    lines = table_lines(Look([summary_of(RUNNING)], trouble=HOSTILE), width=80, height=24, now=NOW)
    assert lines[-1].plain.endswith("; trying again")
    assert lines[-1].plain.isprintable()
    assert table_lines(Look([]), width=80, height=24)[-1].plain == "no job waits or runs; Ctrl-C ends this"


def test_a_terminal_without_blocks_has_signs() -> None:
    line = table_lines(Look([summary_of(RUNNING)]), width=120, height=24, ascii_only=True, now=NOW)[1].plain
    assert "####....  50%" in line
    assert line.isascii()


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (None, QUEUED, ["queued, 3 ahead of it"]),
        (QUEUED, QUEUED.model_copy(update={"queue_position": 2}), []),
        (
            QUEUED,
            RUNNING,
            ["running on worker-1", "epoch 1/3  loss 0.3000 acc 0.9000  val loss 0.2000 acc 0.9100"],
        ),
        (RUNNING, RUNNING, []),
        (
            RUNNING,
            succeeded_job(),
            [
                "epoch 3/3  loss 0.1000 acc 0.9000  val loss 0.2000 acc 0.9100",
                "succeeded: test accuracy 0.9612 after 5.2 s",
            ],
        ),
        (None, succeeded_job(), ["succeeded: test accuracy 0.9612 after 5.2 s"]),
        (RUNNING, sample_job(Status.QUEUED, status_reason="worker_lost", attempt=1), ["queued (worker lost)"]),
        (RUNNING, RUNNING.model_copy(update={"attempt": 2}), ["running on worker-1, attempt 2"]),
    ],
)
def test_a_change_is_a_line(before: object, after: object, lines: list[str]) -> None:
    assert changes(before and summary_of(before), summary_of(after)) == lines  # type: ignore[arg-type]


def test_lines_name_their_job_and_trouble_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    display = ChangeLines(Console(file=out, width=80))
    running = [summary_of(RUNNING)]
    for look in (Look(running), Look(running, trouble="no answer"), Look(running, trouble="no answer"), Look(running)):
        display.show(look)
    assert [line.split()[0] for line in out.getvalue().splitlines()] == [JOB_ID, JOB_ID]
    assert capsys.readouterr().err == "no answer; trying again\nthe server answers again\n"


def test_json_is_a_line_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    display = JsonLines()
    for job in (QUEUED, QUEUED, RUNNING):
        display.show(Look([summary_of(job)]))
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(document["id"], document["status"]) for document in documents] == [(JOB_ID, "queued"), (JOB_ID, "running")]
