"""A refusal is told once, field by field, with what was probably meant."""

from typing import Any

import pytest

from gradientd.cli.refusals import fields_at, refusal_lines
from jobs.wire import MOST_ERRORS, FieldError, Problem


def problem(detail: str, *errors: FieldError, title: str = "Job spec cannot be accepted") -> Problem:
    """A problem of this server."""
    return Problem(
        type="/problems/invalid_spec",
        title=title,
        status=422,
        detail=detail,
        instance="/v1/jobs",
        code="invalid_spec",
        request_id="5f0c",
        errors=list(errors),
    )


def refused(first: tuple[str, str], *others: tuple[str, str]) -> Problem:
    """The problem as the server makes it of these pointers and details."""
    fields = [FieldError(pointer=pointer, detail=detail) for pointer, detail in (first, *others)]
    more = f" (and {len(others)} more)" if others else ""
    return problem(f"{first[0]}: {first[1]}{more}", *fields[:MOST_ERRORS])


def test_one_wrong_field_is_one_line() -> None:
    assert refusal_lines(refused(("/optimizer/learning_rate", "Input should be greater than 0"))) == [
        "optimizer.learning_rate: must be greater than 0"
    ]


def test_several_are_a_line_each_and_none_twice() -> None:
    assert refusal_lines(refused(("/epochs", "Field required"), ("/seed", "Input should be a valid integer"))) == [
        "Job spec cannot be accepted:",
        "  epochs: is missing",
        "  seed: must be a whole number",
    ]


def test_those_that_the_server_does_not_name_are_counted() -> None:
    lines = refusal_lines(refused(*((f"/field{number}", "There is no such field") for number in range(25))))
    assert len(lines) == 1 + MOST_ERRORS + 1
    assert lines[-1] == "  and 5 more"


def test_a_detail_that_says_more_than_its_field_stands_before_it() -> None:
    detail = "this Idempotency-Key came before with another job; nothing was created"
    field = FieldError(parameter="Idempotency-Key", detail="used for another body")
    assert refusal_lines(problem(detail, field)) == [detail, "  Idempotency-Key: used for another body"]


def test_a_detail_alone_is_the_line() -> None:
    assert refusal_lines(problem("no job 'job_x' is known here")) == ["no job 'job_x' is known here"]


@pytest.mark.parametrize(
    ("pointer", "detail", "body", "said"),
    [
        ("/epoch", "There is no such field", {"epoch": 3}, "epoch: there is no such field; did you mean 'epochs'?"),
        (
            "/optimizer/lr",
            "There is no such field",
            {"optimizer": {"type": "sgd", "lr": 1}},
            "optimizer.lr: there is no such field; there are learning_rate, type",
        ),
        (
            "/optimizer/learningrate",
            "There is no such field",
            {"optimizer": {"type": "sgd", "learningrate": 1}},
            "optimizer.learningrate: there is no such field; did you mean 'learning_rate'?",
        ),
        (
            "/execution",
            "Input should be 'auto', 'eager', 'graph' or 'xla'",
            {"execution": "grap"},
            "execution: must be 'auto', 'eager', 'graph' or 'xla'; did you mean 'graph'?",
        ),
        (
            "/model",
            "Input tag 'mpl' found using 'type' does not match any of the expected tags: 'softmax', 'mlp', 'cnn'",
            {"model": {"type": "mpl"}},
            "model: 'mpl' is not one of 'softmax', 'mlp', 'cnn'; did you mean 'mlp'?",
        ),
        (
            "/preset",
            "no preset 'mnist99'; known here: textbook, mnist-99, mnist-best",
            {"preset": "mnist99"},
            "preset: no preset 'mnist99'; known here: textbook, mnist-99, mnist-best; did you mean 'mnist-99'",
        ),
        ("/model/hidden/1", "Input should be a valid integer", {"model": {"hidden": [8, "x"]}}, "model.hidden.1: must"),
        ("", "the body must be a JSON object", {}, "the body must be a JSON object"),
    ],
)
def test_what_was_meant_is_said(pointer: str, detail: str, body: dict[str, Any], said: str) -> None:
    (line,) = refusal_lines(refused((pointer, detail)), body=body)
    assert line.startswith(said)


def test_the_fields_of_an_object_are_those_of_its_type() -> None:
    assert fields_at(["model"], {"model": {"type": "mlp"}}) == ["activation", "dropout", "hidden", "type"]
    assert {"hidden", "filters"} <= set(fields_at(["model"], {"model": {"type": "mpl"}}))
    assert fields_at(["early_stopping"], {"early_stopping": {}}) == ["min_delta", "monitor", "patience", "restore_best"]
    assert fields_at(["nowhere"], {}) == []
