"""`datasets`, `predict` and `download` against a server that answers as the API does."""

import json
import os
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gradientd.cli.app import app
from gradientd.cli.datasets import name_of
from gradientd.cli.reading import Channels, FitWay, OnBad, Reading, Task
from gradientd.cli.tables import report_words
from gradientd.client.datasets import columns_as_csv
from jobs.wire import UploadReport
from tests.gradientd.samples import JOB_ID, serving


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Customers.csv", "customers"),
        ("a b (1).csv.gz", "a-b-1"),
        ("2024.parquet", "2024"),
        (".csv", "table"),
        ("é.csv", "table"),
    ],
)
def test_a_dataset_is_named_after_its_file(file: str, name: str) -> None:
    assert name_of(Path(file)) == name


def test_columns_become_a_csv() -> None:
    columns: dict[str, Any] = {"a": [1, None, float("nan")], 'b"c': ["x", "y,z", "q\n"]}
    assert columns_as_csv(columns) == b'a,"b""c"\r\n1,x\r\n,"y,z"\r\n,"q\n"\r\n'
    assert columns_as_csv({"a": [True, False]}) == b"a\r\ntrue\r\nfalse\r\n"
    with pytest.raises(ValueError, match="'a': 2, 'b': 1"):
        columns_as_csv({"a": [1, 2], "b": [1]})
    with pytest.raises(ValueError, match="'a' holds more"):
        columns_as_csv({"a": [[1, 2]]})


def test_one_row_is_and_two_are() -> None:
    one, two = (report_words(UploadReport(duplicates=count, train_test_duplicates=count)) for count in (1, 2))
    assert one == ["1 row is the same as an earlier one", "1 test row is the same as a training row"]
    assert two == ["2 rows are the same as an earlier one", "2 test rows are the same as a training row"]
    assert report_words(None) == []


def test_options_of_an_upload_need_a_file() -> None:
    result = CliRunner().invoke(app, ["train", "--target", "y"])
    assert result.exit_code == 2
    assert "FILE" in result.output


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "no.csv")
    for command in (["datasets", "upload", missing], ["train", missing], ["predict", "last", missing]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2, result.output
        assert "cannot read" in " ".join(result.output.split())


def test_reading_tells_what_was_given_as_the_client_takes_it() -> None:
    assert Reading().given == {}
    reading = Reading(
        target=["y"],
        task=Task.REGRESSION,
        on_bad=OnBad.SKIP,
        size="48x64",
        fit=FitWay.COVER,
        channels=Channels.COLOURS,
        test_split=0.5,
        split_seed=0,
    )
    assert reading.given == {
        "target": ["y"],
        "task": "regression",
        "on_bad": "skip",
        "size": (48, 64),
        "fit": "cover",
        "channels": 3,
        "test_split": 0.5,
        "split_seed": 0,
    }
    with pytest.raises(typer.BadParameter, match="48by64"):
        Reading(size="48by64").given  # noqa: B018


@pytest.mark.parametrize("option", ["--channels=3", "--test-split=0.5", "--split-seed=1", "--on-bad=skip"])
def test_any_option_of_an_upload_needs_a_file(option: str) -> None:
    result = CliRunner().invoke(app, ["train", option])
    assert result.exit_code == 2
    assert option.partition("=")[0] in result.output


def test_pictures_that_are_told_are_no_formulas(tmp_path: Path) -> None:
    (tmp_path / "=cmd.png").write_bytes(b"a picture")
    told = {"predictions": [{"label": "=1+1", "index": 0, "probabilities": {"=1+1": 1.0, "b": 0.0}}]}
    with serving({f"POST /v1/jobs/{JOB_ID}/predict": lambda _: (200, told)}) as url, chdir(tmp_path):
        result = CliRunner().invoke(app, ["predict", JOB_ID, "=cmd.png", "--url", url])
    assert result.output.splitlines() == ["file,label,probability =1+1,probability b", "'=cmd.png,'=1+1,1.0,0.0"]


def test_a_folder_is_predicted_as_it_is_learnt(tmp_path: Path) -> None:
    """By content, whatever the names; without what begins with a dot, and without waiting for a pipe."""
    sent: list[int] = []

    def told(body: Any) -> tuple[int, Any]:
        sent.append(len(body["instances"]))
        one = {"label": "a", "index": 0, "probabilities": {"a": 1.0}}
        return 200, {"predictions": [one] * len(body["instances"])}

    png, jpeg, webp = b"\x89PNG rest", b"\xff\xd8\xff rest", b"RIFF\0\0\0\0WEBP"
    names = {
        "noext": png,
        "b.jfif": jpeg,
        "c.webp": webp,
        "._1.png": png,
        "notes.png": b"text",
        "deep/d.gif": b"GIF89a",
    }
    for name, content in names.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    os.mkfifo(tmp_path / "p.png")
    with serving({f"POST /v1/jobs/{JOB_ID}/predict": told}) as url:
        result = CliRunner().invoke(app, ["predict", JOB_ID, str(tmp_path), "--url", url, "--json"])
    assert result.exit_code == 0, result.output
    found = [Path(one["file"]).relative_to(tmp_path).as_posix() for one in json.loads(result.output)]
    assert (sent, found) == ([4], ["b.jfif", "c.webp", "deep/d.gif", "noext"])
