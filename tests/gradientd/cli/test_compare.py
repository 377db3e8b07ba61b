"""`compare` shows jobs side by side."""

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from gradientd.cli.app import app
from gradientd.cli.compare import print_comparison
from gradientd.cli.comparison import compared
from gradientd.cli.exit_codes import ExitCode
from jobs.record import Metrics
from jobs.spec import CNN, MLP, Spec
from jobs.states import Status
from tests.gradientd.cli.test_hostile_text import HOSTILE
from tests.gradientd.listing import Listing, listing, some_job
from tests.gradientd.samples import sample_epoch, sample_job, succeeded_job


@pytest.fixture
def jobs() -> Listing:
    """Two jobs, of which the second did better, and one that waits."""
    first, second = some_job(Status.SUCCEEDED), some_job(Status.SUCCEEDED, number=1)
    waiting = some_job(Status.QUEUED, number=2, queue_position=0)
    first = first.model_copy(update={"metrics": Metrics(latest=sample_epoch(1), test_accuracy=0.95)})
    spec = second.spec.model_copy(update={"epochs": 9, "model": CNN()})
    second = second.model_copy(update={"spec": spec, "metrics": Metrics(latest=sample_epoch(2), test_accuracy=0.96)})
    return Listing.of([first, second, waiting])


def gradientd(*arguments: str, jobs: Listing) -> Result:
    """Run the command against a server that has the jobs."""
    with listing(jobs) as url:
        return CliRunner().invoke(app, list(arguments), env={"GRADIENTD_URL": url})


def test_two_jobs_are_side_by_side(jobs: Listing) -> None:
    one, two, _ = jobs.jobs
    result = gradientd("compare", one, two, jobs=jobs)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[:2] == [
        ["A", one, "succeeded,", "mlp", "on", "mnist-10k"],
        ["B", two, "succeeded,", "cnn", "on", "mnist-10k"],
    ]
    assert ["epochs", "3", "9"] in lines
    assert ["model.kernel_size", "-", "3"] in lines
    assert ["test_accuracy", "0.9500", "0.9600", "*"] in lines
    assert ["last", "loss", "0.3000", "0.1500", "*"] in lines
    assert result.exit_code == 0
    document = json.loads(gradientd("compare", one, two, "--json", jobs=jobs).stdout)
    assert document["measurements"]["test_accuracy"]["best"] == [two]


def test_a_job_that_has_measured_nothing_has_dashes(jobs: Listing) -> None:
    one, _, waiting = jobs.jobs
    lines = [line.split() for line in gradientd("compare", one, waiting, jobs=jobs).stdout.splitlines()]
    assert ["their", "specs", "are", "the", "same"] in lines
    assert ["test_accuracy", "0.9500", "-"] in lines


def test_one_job_is_not_enough(jobs: Listing) -> None:
    result = gradientd("compare", "last", jobs=jobs)
    assert result.exit_code == ExitCode.REFUSED
    assert "takes from 2 to 26 jobs" in result.stderr
    assert not jobs.asked


def test_it_fits_the_terminal_and_commands_nothing() -> None:
    one = succeeded_job()
    hidden = MLP(hidden=tuple(range(101, 117)))
    spec = Spec(epochs=3, model=hidden, metadata={"note": "x"}).model_copy(update={"metadata": {HOSTILE: HOSTILE}})
    out = io.StringIO()
    screen = Console(file=out, width=80, force_terminal=True, color_system=None, highlight=False)
    three = [one, sample_job(Status.RUNNING, spec=Spec(epochs=3, model=hidden)), one]
    print_comparison(screen, compared(three))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    print_comparison(screen, compared([one, one.model_copy(update={"spec": spec})]))
    assert all(line.isprintable() for line in out.getvalue().split("\n"))
