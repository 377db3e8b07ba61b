"""The body of a submission: what options, files and --set come to."""

from typing import Any

import pytest

from gradientd.cli.request import BadOption, Body, Change, build_body, parse_body, parse_label, parse_set

RESOLVED: Body = {
    "model": {"type": "cnn", "filters": [32, 64], "dropout": 0.4},
    "optimizer": {"type": "adam", "learning_rate": 0.003, "beta_1": 0.9},
    "early_stopping": None,
}


def built(base: Body, *options: str, resolved: Body | None = RESOLVED) -> Body:
    """The body for a base and some `--set` options; with `resolved` None the server must not be asked."""

    def resolve(body: Body) -> Body:
        assert resolved is not None, "the server was asked in vain"
        return resolved

    return build_body(base, [parse_set(option) for option in options], resolve=resolve)


def test_plain_fields_are_set_without_asking_the_server() -> None:
    assert built({"epochs": 3}, "epochs=5", "dataset=mnist", resolved=None) == {"epochs": 5, "dataset": "mnist"}


def test_a_field_within_an_object_keeps_what_the_preset_has_beside_it() -> None:
    assert built({"preset": "mnist-best"}, "optimizer.learning_rate=0.01") == {
        "preset": "mnist-best",
        "optimizer": {"type": "adam", "learning_rate": 0.01, "beta_1": 0.9},
    }


def test_another_type_begins_with_that_types_defaults() -> None:
    assert built({}, "model.type=mlp", "model.hidden=[512]") == {"model": {"type": "mlp", "hidden": [512]}}


def test_the_type_is_chosen_first_whatever_the_order() -> None:
    assert built({}, "model.hidden=[512]", "model.type=mlp") == {"model": {"type": "mlp", "hidden": [512]}}


def test_the_same_type_keeps_the_rest() -> None:
    assert built({}, "model.type=cnn")["model"] == RESOLVED["model"]


def test_an_object_that_is_null_is_made() -> None:
    assert built({}, "early_stopping.patience=3") == {"early_stopping": {"patience": 3}}


def test_an_object_in_the_file_is_changed_where_it_is() -> None:
    base: Body = {"optimizer": {"type": "sgd", "learning_rate": 0.5}}
    assert built(base, "optimizer.learning_rate=0.1", resolved=None) == {
        "optimizer": {"type": "sgd", "learning_rate": 0.1}
    }
    assert base == {"optimizer": {"type": "sgd", "learning_rate": 0.5}}


@pytest.mark.parametrize(
    ("option", "change"),
    [
        ("epochs=5", Change(("epochs",), 5)),
        ("model.hidden=[1, 2]", Change(("model", "hidden"), [1, 2])),
        ("early_stopping=null", Change(("early_stopping",), None)),
        ("dataset=mnist-10k", Change(("dataset",), "mnist-10k")),
        ("metadata.note=a=b", Change(("metadata", "note"), "a=b")),
    ],
)
def test_a_set_option_is_json_or_else_text(option: str, change: Change) -> None:
    assert parse_set(option) == change


@pytest.mark.parametrize("option", ["epochs", "=5", "model..hidden=1", ".epochs=1"])
def test_a_set_option_without_a_place_is_refused(option: str) -> None:
    with pytest.raises(BadOption, match=r"path\.to\.field=value"):
        parse_set(option)


def test_labels_are_text() -> None:
    assert parse_label("run=5") == ("run", "5")
    with pytest.raises(BadOption, match="key=value"):
        parse_label("run")


@pytest.mark.parametrize(("text", "complaint"), [("{", "is not JSON"), ("[1]", "must hold a JSON object")])
def test_a_file_that_is_no_spec_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadOption, match=rf"spec\.json {complaint}"):
        parse_body(text, source="spec.json")


def test_a_file_is_taken_as_it_is() -> None:
    body: dict[str, Any] = parse_body('{"epochs": 2}', source="spec.json")
    assert body == {"epochs": 2}
