"""`plot` draws curves in the terminal, follows jobs, and writes a page."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gradientd.cli import extras
from gradientd.cli.app import app
from gradientd.cli.exit_codes import ExitCode
from jobs.states import Phase, Status
from tests.gradientd.cli.test_curves import ACCURACY, LOSSES, answering, series
from tests.gradientd.listing import Listing, listing, some_job
from tests.gradientd.terminal import terminal


@pytest.fixture
def jobs() -> Listing:
    """A job that succeeded and one that runs, with what they measured."""
    ended, running = some_job(Status.SUCCEEDED), some_job(Status.RUNNING, number=1, phase=Phase.TRAINING)
    known = {ended.id: series(**LOSSES, **ACCURACY), running.id: series(range(1, 2), loss=(0.5,), val_loss=(0.6,))}
    return Listing.of([ended, running], answers=answering(known, []))


def gradientd(*arguments: str, jobs: Listing, **environment: str) -> Result:
    """Run the command against a server that has the jobs."""
    with listing(jobs) as url:
        return CliRunner().invoke(app, list(arguments), env={"GRADIENTD_URL": url, **environment})


def test_a_pipe_gets_letters_and_no_codes(jobs: Listing) -> None:
    ended = next(iter(jobs.jobs))
    result = gradientd("plot", ended, jobs=jobs, COLUMNS="60")
    lines = result.stdout.splitlines()
    assert lines[0] == f"{ended}  succeeded, 0/3 epochs on mnist-10k"
    assert lines[1] == "loss   A train   a validation"
    assert "accuracy   A train   a validation" in lines
    assert "\x1b" not in result.stdout
    assert max(map(len, lines[1:])) <= 60
    assert result.exit_code == 0


def test_several_jobs_are_drawn_together(jobs: Listing) -> None:
    one, two = jobs.jobs
    lines = gradientd("plot", one, two, "--metric", "loss", jobs=jobs).stdout.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["A", one], ["B", two]]
    assert lines[2] == "loss   A A train   a A validation   B B train   b B validation"
    assert len([line for line in lines if line.startswith("loss")]) == 1
    assert [query["names"] for query in jobs.queries if "names" in query] == [["loss", "val_loss"]] * 2


def test_what_was_not_measured_is_said(jobs: Listing) -> None:
    one, _ = jobs.jobs
    result = gradientd("plot", one, "-m", "r2", "-m", "loss", jobs=jobs)
    assert (result.exit_code, result.stderr) == (0, "not measured: r2\n")
    result = gradientd("plot", one, "-m", "r2", jobs=jobs)
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert result.stderr == "nothing to plot: r2 not measured\n"
    known = {one: series(range(0), loss=())}
    jobs.answers = answering(known, [])
    assert gradientd("plot", one, jobs=jobs).stderr == "nothing to plot: no epoch has been measured yet\n"


def test_a_page_is_written_with_the_curves(jobs: Listing, tmp_path: Path) -> None:
    one, two = jobs.jobs
    page = tmp_path / "curves.html"
    result = gradientd("plot", one, two, "--html", str(page), jobs=jobs)
    assert result.stdout == f"{page}  {page.stat().st_size:,} bytes\n"
    text = page.read_text("utf-8")
    assert f"<li>B  {two}  training, 0/3 epochs on mnist-10k</li>" in text
    assert '"name":"B validation"' in text
    assert gradientd("plot", one, "--html", "-", jobs=jobs).stdout.startswith("<!doctype html>")
    result = gradientd("plot", one, "--html", str(tmp_path / "no" / "where"), jobs=jobs)
    assert result.exit_code == ExitCode.REFUSED
    assert "--html: cannot write" in result.stderr


def test_a_page_needs_its_extra(jobs: Listing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "plotly" else object())
    result = gradientd("plot", "last", "--html", str(tmp_path / "x.html"), jobs=jobs)
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr == 'gradientd plot --html needs the extra "notebook": pip install "gradientd[notebook]"\n'
    assert not jobs.asked


def test_a_page_does_not_follow(jobs: Listing) -> None:
    assert gradientd("plot", "last", "-f", "--html", "x.html", jobs=jobs).exit_code == ExitCode.REFUSED


def test_followed_curves_grow_in_a_terminal_to_the_end(jobs: Listing) -> None:
    _, running = jobs.jobs
    known: dict[str, Any] = {running: series(range(1, 3), loss=(0.5, 0.4), val_loss=(0.6, 0.5))}
    jobs.answers = answering(known, [])
    with listing(jobs) as url, terminal("plot", "-f", running, url=url, lines=30) as screen:
        screen.wait_for("training, 0/3 epochs")
        screen.wait_for("0.6┤")
        assert "\x1b[" in screen.raw
        known[running] = series(range(3, 4), loss=(0.1,), val_loss=(0.2,))
        screen.wait_for("0.1┤")
        known[running] = series(range(0), loss=(), val_loss=())
        jobs.put(jobs.jobs[running], status=Status.FAILED)
        assert screen.exit_code() == ExitCode.FAILED
        last = screen.text[screen.text.rindex(running) :]
        assert "failed, 0/3 epochs" in last
        assert len(last.splitlines()) <= 30
        assert max(map(len, last.splitlines())) <= 80


def test_followed_curves_can_be_left(jobs: Listing) -> None:
    _, running = jobs.jobs
    with listing(jobs) as url, terminal("plot", "-f", running, url=url) as screen:
        screen.wait_for("┤")
        screen.interrupt()
        assert screen.exit_code() == ExitCode.INTERRUPTED
        assert "Traceback" not in screen.text


def test_followed_out_of_a_terminal_the_curves_are_drawn_once_at_the_end(jobs: Listing) -> None:
    ended, _ = jobs.jobs
    result = gradientd("plot", "--follow", ended, jobs=jobs)
    assert result.exit_code == ExitCode.SUCCEEDED
    assert result.stdout.count("loss   A train") == 1
    assert "\x1b" not in result.stdout
