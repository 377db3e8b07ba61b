"""Messages are in our words, and say what was probably meant."""

import json

import pytest
from pydantic import ValidationError

from gradientd.cli.wording import in_our_words, meant, with_meant
from jobs.spec import Spec

BODIES = [
    {"epochs": 0},
    {"epochs": 20_000},
    {"epochs": 1.5},
    {"epochs": "many"},
    {"epochs": None},
    {"label_smoothing": "a little"},
    {"label_smoothing": 0.9},
    {"optimizer": {"type": "sgd", "learning_rate": 0}},
    {"optimizer": {"type": "sgd", "learning_rate": 1e10}},
    {"optimizer": {"learning_rate": 1}},
    {"optimizer": "adam"},
    {"optimizer": {"type": "adamm"}},
    {"model": {"type": "mlp", "hidden": []}},
    {"model": {"type": "mlp", "hidden": [1] * 17}},
    {"model": {"type": "mlp", "hidden": 7}},
    {"model": {"type": "cnn", "kernel_size": 4}},
    {"model": []},
    {"execution": "fast"},
    {"device": "tpu"},
    {"dataset": 7},
    {"dataset": "No Such"},
    {"wait_for_device": "yes"},
    {"preset": "x" * 65},
    {"metadata": {str(number): "" for number in range(17)}},
    {"metadata": {"": "x"}},
    {"metadata": ["x"]},
    {"early_stopping": {"patience": True}},
    {"epoch": 3},
]


@pytest.mark.parametrize("body", BODIES, ids=json.dumps)
def test_nothing_that_a_spec_can_be_refused_for_is_told_in_pydantics_words(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Spec.model_validate_json(json.dumps(body))
    for error in refused.value.errors():
        said = in_our_words(error["msg"])
        for word in (
            "Input",
            "should",
            "Value error",
            "parse",
            "permitted",
            "discriminator",
            "tag",
            "Field required",
            "match",
        ):
            assert word not in said, said


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Input should be greater than or equal to 1", "must be at least 1"),
        ("Input should be less than or equal to 10000", "must be at most 10000"),
        ("Input should be greater than 0", "must be greater than 0"),
        ("Input should be a valid integer, unable to parse string as an integer", "must be a whole number"),
        ("Input should be a valid number, unable to parse string as a number", "must be a number"),
        ("Input should be 'auto', 'eager', 'graph' or 'xla'", "must be 'auto', 'eager', 'graph' or 'xla'"),
        ("Tuple should have at least 1 item after validation, not 0", "must have at least 1 item, not 0"),
        ("String should have at most 64 characters", "must have at most 64 characters"),
        (
            "Input tag 'mpl' found using 'type' does not match any of the expected tags: 'softmax', 'mlp', 'cnn'",
            "'mpl' is not one of 'softmax', 'mlp', 'cnn'",
        ),
        ("Unable to extract tag using discriminator 'type'", "must say its `type`"),
        ("Value error, choose another", "choose another"),
        ("There is no such field", "there is no such field"),
        ("300 parameters; this server allows 200", "300 parameters; this server allows 200"),
    ],
)
def test_each_message_has_its_words(theirs: str, ours: str) -> None:
    assert in_our_words(theirs) == ours


def test_what_was_meant_is_what_is_like_it() -> None:
    assert meant("runing", ["queued", "running"]) == "; did you mean 'running'?"
    assert meant("MNIST-99", ["textbook", "mnist-99"]) == "; did you mean 'mnist-99'?"
    assert meant("sing", ["queued", "running"]) == ""
    assert meant("same", ["same"]) == ""


def test_choices_in_a_message_are_what_may_have_been_meant() -> None:
    assert with_meant("'mpl' is not one of 'mlp', 'cnn'") == "'mpl' is not one of 'mlp', 'cnn'; did you mean 'mlp'?"
    assert with_meant("must be 'graph' or 'xla'", "grap").endswith("; did you mean 'graph'?")
    assert with_meant("must be 'graph' or 'xla'", 7) == "must be 'graph' or 'xla'"
