"""What `show` says of a spec: types, what decides the training, and what was set."""

import pytest
from annotated_types import Le

from gradientd.cli.spec_summary import LONGEST_RUNTIME_SECONDS, summary
from gradientd.client.compatibility import Unknown
from jobs.presets import resolve
from jobs.spec import CNN, MLP, SGD, Adam, Constant, EarlyStopping, OneCycle, Softmax, Spec

TEXTBOOK = {
    "preset": "textbook",
    "dataset": "mnist-10k",
    "model": {"type": "mlp"},
    "loss": "mse",
    "optimizer": {"type": "sgd", "learning_rate": 0.2},
    "epochs": 10,
    "batch_size": 128,
}


def test_an_empty_spec_is_the_textbooks() -> None:
    assert summary(resolve(Spec())) == TEXTBOOK


def test_what_is_not_the_textbooks_does_not_say_so() -> None:
    for spec in (Spec(model=Softmax()), Spec(optimizer=SGD(learning_rate=0.1)), Spec(loss="cross_entropy")):
        assert "preset" not in summary(resolve(spec))
    assert summary(resolve(Spec(epochs=3)))["preset"] == "textbook"


def test_objects_have_their_type_and_what_differs_from_it() -> None:
    told = summary(resolve(Spec(model=MLP(hidden=(64,)), schedule=OneCycle(warmup_fraction=0.2))))
    assert told["model"] == {"type": "mlp", "hidden": [64]}
    assert told["schedule"] == {"type": "one_cycle", "warmup_fraction": 0.2}


def test_a_running_time_that_nobody_set_is_not_told() -> None:
    spec = resolve(Spec(max_runtime_seconds=3600))
    assert summary(spec)["max_runtime_seconds"] == 3600
    assert "max_runtime_seconds" not in summary(spec, usual_runtime_seconds=3600)
    assert "max_runtime_seconds" not in summary(Spec(max_runtime_seconds=LONGEST_RUNTIME_SECONDS))


def test_the_longest_running_time_is_the_specs() -> None:
    (bound,) = (limit.le for limit in Spec.model_fields["max_runtime_seconds"].metadata if isinstance(limit, Le))
    assert bound == LONGEST_RUNTIME_SECONDS


@pytest.mark.parametrize(
    "spec",
    [
        Spec(),
        Spec(preset="mnist-99", dataset="mnist-10k"),
        Spec(preset="mnist-99", schedule=Constant(), model=CNN(filters=(8,)), optimizer=Adam(beta_1=0.8)),
        Spec(preset="mnist-best", augmentation=None),
        Spec(model=Softmax(), validation_split=0.1, early_stopping=EarlyStopping(patience=2), seed=7, priority=3),
    ],
)
def test_what_is_told_makes_the_same_job(spec: Spec) -> None:
    resolved = resolve(spec)
    again = resolve(Spec.model_validate(summary(resolved)))
    assert again.model_copy(update={"preset": resolved.preset}) == resolved


def test_labels_are_told_elsewhere() -> None:
    assert "metadata" not in summary(resolve(Spec(metadata={"team": "vision"})))


def test_a_kind_that_only_a_newer_server_knows_is_told_whole() -> None:
    model = Unknown.model_validate({"type": "transformer", "heads": 8})
    assert summary(Spec().model_copy(update={"model": model}))["model"] == {"type": "transformer", "heads": 8}
