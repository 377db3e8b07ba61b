"""A shell is proposed values: from the server, or what is known without it, and never an error."""

from threading import Event

import pytest
from typer.testing import CliRunner

from gradientd.cli import completion
from gradientd.cli.app import app
from gradientd.cli.job_reference import made_between
from jobs.datasets import CATALOGUE
from jobs.presets import PRESETS, resolve
from jobs.spec import Spec
from jobs.states import Status
from jobs.wire import Dataset, Preset
from tests.conftest import free_port
from tests.gradientd.listing import Listing, listing, some_job
from tests.gradientd.samples import JOB_ID, Route, sample_job, serving


def proposed(words: str, *, url: str) -> list[str]:
    """What bash is proposed for the last word."""
    typed = f"gradientd {words}"
    environment = {
        "_GRADIENTD_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split(" ")) - 1),
        "GRADIENTD_URL": url,
    }
    return CliRunner().invoke(app, [], prog_name="gradientd", env=environment).stdout.split()


@pytest.fixture
def nowhere() -> str:
    """Where no server is."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("show ", ["last", JOB_ID]),
        ("cancel job_01KAV", [JOB_ID]),
        ("delete 01KAV", [JOB_ID.removeprefix("job_")]),
        ("pause l", ["last"]),
    ],
)
def test_jobs_are_proposed(words: str, values: list[str]) -> None:
    routes: dict[str, Route] = {"GET /v1/jobs": lambda body: (200, [sample_job()])}
    with serving(routes) as url:
        assert proposed(words, url=url) == values


@pytest.mark.parametrize(
    ("command", "statuses"),
    [
        ("cancel", {"queued", "running", "cancelling", "pausing", "paused"}),
        ("resume", {"paused"}),
        ("delete", {"succeeded", "failed", "cancelled"}),
    ],
)
def test_only_jobs_that_it_can_be_done_to_are_proposed(command: str, statuses: set[str]) -> None:
    jobs = Listing.of([some_job(status, number=at) for at, status in enumerate(Status)])
    with listing(jobs) as url:
        ids = proposed(f"{command} last job_", url=url)
    assert {jobs.jobs[job_id].status.value for job_id in ids} == statuses
    assert jobs.asked.total() == 1


def test_a_job_is_proposed_with_what_it_is_known_by() -> None:
    routes: dict[str, Route] = {"GET /v1/jobs": lambda body: (200, [sample_job()])}
    with serving(routes) as url:
        environment = {
            "_GRADIENTD_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": "gradientd show job",
            "GRADIENTD_URL": url,
        }
        told = CliRunner().invoke(app, [], prog_name="gradientd", env=environment).stdout
    assert f'"{JOB_ID}":"queued, mlp on mnist-10k"' in told


def test_a_datasets_versions_are_proposed_behind_an_at() -> None:
    versions = [
        Dataset.of(CATALOGUE["mnist-10k"]).model_copy(update={"id": f"iris@{at}", "name": "iris"}) for at in (1, 2)
    ]
    routes: dict[str, Route] = {
        "GET /v1/datasets": lambda body: (200, versions[1:]),
        "GET /v1/datasets/iris/versions": lambda body: (200, versions),
    }
    with serving(routes) as url:
        assert proposed("train --dataset i", url=url) == ["iris"]
        assert proposed("cancel --dataset iris@", url=url) == ["iris@1", "iris@2"]
        assert proposed("datasets show iris@2", url=url) == ["iris@2"]
        assert proposed("datasets show other@", url=url) == []


def test_the_key_on_the_line_is_used() -> None:
    keys: list[str | None] = []
    jobs = Listing.of([some_job(Status.QUEUED)])
    jobs.heard = lambda headers: keys.append(headers["Authorization"])
    with listing(jobs) as url:
        assert len(proposed(f"show --url {url} --api-key gd_mine job_", url="http://[")) == 1
        assert proposed(f"show --url {url} --api-key gd_mine", url=url) == []
    assert keys == ["Bearer gd_mine"]


def test_a_server_that_does_not_answer_soon_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "PATIENCE_SECONDS", 0.05)
    released = Event()
    jobs = Listing.of([])

    def hang(method: str, path: str) -> None:
        released.wait(30)

    jobs.answers = hang
    with listing(jobs) as url:
        assert proposed("show l", url=url) == ["last"]
        assert not released.is_set()
        released.set()


def test_an_answer_that_is_none_proposes_nothing() -> None:
    with serving({"GET /v1/jobs": lambda body: (200, "<html>"), "GET /v1/presets": lambda body: (500, "?")}) as url:
        assert proposed("show ", url=url) == ["last"]
        assert proposed("train --preset ", url=url) == list(PRESETS)


def test_presets_of_the_server_are_proposed() -> None:
    preset = Preset(name="mine", description="x", spec=resolve(Spec()))
    routes: dict[str, Route] = {"GET /v1/presets": lambda body: (200, [preset])}
    with serving(routes) as url:
        assert proposed("train --preset ", url=url) == ["mine"]
        assert proposed(f"train --url {url} --preset m", url="http://[") == ["mine"]


def test_without_a_server_what_is_known_is_proposed(nowhere: str) -> None:
    assert proposed("train --preset ", url=nowhere) == list(PRESETS)
    assert proposed("train --dataset ", url=nowhere) == list(CATALOGUE)
    assert proposed("show ", url=nowhere) == ["last"]


def test_choices_are_proposed(nowhere: str) -> None:
    assert proposed("jobs --status ", url=nowhere) == list(Status)
    assert proposed("train --execution g", url=nowhere) == ["graph"]
    assert proposed("train --model ", url=nowhere) == ["mlp", "cnn", "softmax"]
    assert proposed("metrics last --name val_r", url=nowhere) == ["val_rmse", "val_r2"]
    assert proposed("checkp", url=nowhere) == ["checkpoints"]


def test_an_older_job_is_proposed_by_its_beginning() -> None:
    made_at, _ = made_between(JOB_ID.removeprefix("job_"))
    old = some_job(Status.SUCCEEDED, created_at=made_at).model_copy(update={"id": JOB_ID})
    jobs = Listing.of([old, *(some_job(Status.SUCCEEDED, number=at) for at in range(1, 61))])
    with listing(jobs) as url:
        assert proposed("show job_01KAV", url=url) == [JOB_ID]


@pytest.mark.parametrize("words", ["train --preset ", "datasets show ", "train --"])
def test_a_description_is_one_line_however_narrow_the_terminal_is(words: str, nowhere: str) -> None:
    environment = {
        "_GRADIENTD_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": f"gradientd {words}",
        "GRADIENTD_URL": nowhere,
        "COLUMNS": "40",
    }
    said = CliRunner().invoke(app, [], prog_name="gradientd", env=environment).stdout
    lines = said.removeprefix("_arguments '*: :((").removesuffix("))'\n").splitlines()
    assert len(lines) > 1
    assert all(line.startswith('"') and line.endswith('"') for line in lines)
