"""A shell is proposed values: from the server, or what is known without it, and never an error."""

import pytest
from typer.testing import CliRunner

from gradientd.cli.app import app
from jobs.datasets import CATALOGUE
from jobs.presets import PRESETS, resolve
from jobs.spec import Spec
from jobs.states import Status
from jobs.wire import Preset
from tests.conftest import free_port
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
    assert proposed("checkp", url=nowhere) == ["checkpoints"]
