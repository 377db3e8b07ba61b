"""`card` against a server that answers as the API does."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gradientd.cli.app import app
from jobs.evaluation import (
    Calibration,
    ClassEvaluation,
    ClassScores,
    Confusion,
    Evaluation,
    Histogram,
    Interval,
    ModelCard,
    Points,
    ShownExample,
    TargetErrors,
    TargetEvaluation,
    WrongClass,
    WrongNumber,
)
from jobs.record import Metrics
from jobs.wire import Dataset, Features, Series, UploadReport
from tests.gradientd.samples import JOB_ID, serving, succeeded_job

SCORES = ClassEvaluation(
    accuracy=0.9,
    accuracy_interval=Interval(low=0.871, high=0.923),
    classes=tuple(
        ClassScores(name=f"c{n}", examples=10, predicted=10, right=n % 10, precision=n / 30, recall=n / 30, f1=n / 30)
        for n in range(30)
    ),
    confusion_matrix=None,
    confusions=(Confusion(actual="cat\x1b[31m", predicted="dog", count=3),),
    calibration=Calibration(bins=(), expected_error=0.0125),
    worst=(
        WrongClass(
            index=7,
            actual="cat",
            predicted="dog",
            probability=0.98,
            actual_probability=0.01,
            example=ShownExample(source="cat/17.png"),
        ),
        WrongClass(
            index=8, actual="dog", predicted="cat", probability=0.5, actual_probability=0.4, example=ShownExample()
        ),
    ),
)
ERRORS = TargetEvaluation(
    targets=(
        TargetErrors(
            name="price",
            mae=1.25,
            rmse=2.5,
            r2=0.75,
            mean_error=-0.5,
            quantiles={"0.05": -4.5, "0.95": 3.5},
            histogram=Histogram(edges=(0, 1), counts=(1,)),
            points=Points(actual=(), predicted=()),
        ),
    ),
    worst=(WrongNumber(index=1, target="price", actual=10.0, predicted=20.0, example=ShownExample(source="row 12")),),
)


def card_of(**evaluated: Any) -> ModelCard:
    job = succeeded_job()
    dataset = Dataset(
        id="pets@2",
        name="pets",
        kind="images",
        task="regression" if "regression" in evaluated else "classification",
        features=Features(shape=(8, 8, 1), dtype="uint8"),
        train_examples=100,
        test_examples=40,
        report=UploadReport(duplicates=2),
    )
    return ModelCard(
        job_id=job.id,
        spec=job.spec,
        run=None,
        attempt=1,
        metrics=Metrics(test_r2=0.75),
        curve=Series(job_id=job.id, names=(), epochs=(), steps=(), series={}, points=0),
        evaluation=Evaluation(dataset=dataset, software={}, test_examples=40, **evaluated),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


def run(answer: Any, *options: str) -> tuple[int, str]:
    with serving({f"GET /v1/jobs/{JOB_ID}/card": lambda _: (200, answer)}) as url:
        result = CliRunner().invoke(app, ["card", JOB_ID, "--url", url, *options])
    return result.exit_code, result.output


def test_a_card_of_classes_names_the_worst_ones() -> None:
    code, text = run(card_of(classification=SCORES))
    assert code == 0
    assert "0.9000 on 40 test examples; 87.1 to 92.3 % with 95 % confidence" in text
    assert "ECE       1.2 %" in text
    assert "c19" in text
    assert "c20" not in text
    assert "and 10 more, which are told better" in text
    assert "mistake   cat/17.png: dog (98 %), and is cat" in text
    assert "mistake   test example 8: cat (50 %), and is dog" in text
    assert "2 examples are the same as an earlier one" in text
    assert "\x1b" not in text


def test_a_card_of_numbers_tells_each_target() -> None:
    code, text = run(card_of(regression=ERRORS))
    assert code == 0
    assert "R²        0.7500" in text
    (line,) = (line for line in text.splitlines() if line.startswith("price"))
    assert line.split() == ["price", "1.25", "2.5", "0.75", "-0.5", "-4.5", "3.5"]
    assert "mistake   row 12: price 20, and is 10" in text


def test_a_card_is_written_as_a_page(tmp_path: Path) -> None:
    page = tmp_path / "card.html"
    assert run("<!doctype html>", "-o", str(page))[0] == 0
    assert page.read_text() == "<!doctype html>"
    assert run("<!doctype html>", "-o", "-") == (0, "<!doctype html>")
    code, text = run("<!doctype html>", "-o", str(tmp_path / "none" / "card.html"))
    assert code == 2
    assert "cannot write" in " ".join(text.split())


def test_a_card_is_json_where_that_is_asked_for() -> None:
    code, text = run(card_of(regression=ERRORS), "--json")
    assert code == 0
    assert json.loads(text)["evaluation"]["regression"]["targets"][0]["name"] == "price"


@pytest.mark.parametrize("code", [404, 409])
def test_no_card_is_told(code: int) -> None:
    problem = {"status": code, "detail": "the job is running; its model has a card once it has succeeded"}
    with serving({f"GET /v1/jobs/{JOB_ID}/card": lambda _: (code, problem)}) as url:
        result = CliRunner().invoke(app, ["card", JOB_ID, "--url", url])
    assert result.exit_code != 0
    assert "has a card once it has succeeded" in " ".join(result.output.split())
