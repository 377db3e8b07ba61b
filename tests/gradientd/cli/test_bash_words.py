"""Bash breaks words at `@`, `:` and `=`, and is proposed what belongs in the place of the last part."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gradientd.cli.app import app
from gradientd.cli.bash_words import together
from jobs.datasets import CATALOGUE
from jobs.wire import Dataset
from tests.gradientd.samples import JOB_ID, Route, sample_job, serving
from tests.gradientd.terminal import terminal_of

IRIS = Dataset.of(CATALOGUE["mnist-10k"]).model_copy(update={"id": "iris@1", "name": "iris"})
ROUTES: dict[str, Route] = {
    "GET /v1/jobs": lambda body: (200, [sample_job()]),
    "GET /v1/datasets": lambda body: (200, [IRIS]),
    "GET /v1/datasets/iris/versions": lambda body: (200, [IRIS]),
}


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        (["x", "--dataset", "ir"], ["x", "--dataset", "ir"]),
        (["x", "--dataset", "iris", "@"], ["x", "--dataset", "iris@"]),
        (["x", "--dataset", "iris", "@", "1"], ["x", "--dataset", "iris@1"]),
        (["x", "--url", "http", ":", "//here", ":", "8000", ""], ["x", "--url", "http://here:8000", ""]),
        (["x", "--dataset", "=", "iris", "@"], ["x", "--dataset=iris@"]),
        (["x", "-l", "team", "=", "a", "last"], ["x", "-l", "team=a", "last"]),
        (["x", "-l", "team", "=", ""], ["x", "-l", "team=", ""]),
        (["x", ""], ["x", ""]),
    ],
)
def test_broken_words_are_put_together(broken: list[str], whole: list[str]) -> None:
    assert together(broken, len(broken) - 1) == (whole, len(whole) - 1)
    assert together(broken, 1)[1] == 1


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("train --dataset iris@", "train --dataset iris@1 "),
        ("cancel --dataset=ir", "cancel --dataset=iris "),
        ("cancel --dataset=iris@", "cancel --dataset=iris@1 "),
        ("plot --url {url} job_0", f"plot --url {{url}} {JOB_ID} "),
    ],
)
def test_bash_completes_the_line(typed: str, completed: str, tmp_path: Path) -> None:
    command = tmp_path / "gradientd"
    command.write_text(f'#!{sys.executable}\nfrom gradientd.cli.app import app\n\napp(prog_name="gradientd")\n')
    command.chmod(0o755)
    script = CliRunner().invoke(app, [], prog_name="gradientd", env={"_GRADIENTD_COMPLETE": "source_bash"}).stdout
    (tmp_path / "completion").write_text(script.replace("$1", str(command)))
    shell = ["bash", "--noprofile", "--norc", "-i"]
    with (
        serving(ROUTES) as url,
        terminal_of(shell, url=url if "{url}" not in typed else "http://[", columns=200, PS1="$ ") as screen,
    ):
        screen.type(f"source {tmp_path}/completion; echo rea''dy\n")
        screen.wait_for("ready")
        screen.type(f"gradientd {typed.format(url=url)}\t")
        screen.wait_for(completed.format(url=url))
