"""Presets: what they fill in and what they leave alone."""

from typing import Any

import pytest

from jobs.compatibility import check_fit
from jobs.datasets import DatasetInfo, Target, find
from jobs.errors import InvalidSpec, UnknownPreset
from jobs.presets import AUTO, PRESETS, TABLE, TEXTBOOK, resolution, resolve
from jobs.spec import CNN, MLP, SGD, Spec


def resolved(**body: object) -> Spec:
    return resolve(Spec.model_validate(body))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_spec_for_a_known_dataset(name: str) -> None:
    spec = resolved(preset=name)
    assert spec.preset == name
    assert find(spec.dataset)
    assert PRESETS[name].name == name


def test_an_empty_spec_is_the_textbook_and_the_defaults() -> None:
    spec = resolved()
    assert spec == resolved(preset=TEXTBOOK)
    assert spec.model_copy(update={"preset": None}) == Spec()
    assert (spec.dataset, spec.model, spec.loss) == ("mnist-10k", MLP(hidden=(256, 128)), "mse")
    assert isinstance(spec.optimizer, SGD)


@pytest.mark.parametrize("name", ["mnist-99", "mnist-best"])
def test_the_presets_for_accuracy_name_the_full_set(name: str) -> None:
    assert resolved(preset=name).dataset == "mnist"


def test_a_field_that_was_given_wins() -> None:
    spec = resolved(preset="mnist-99", epochs=1, dataset="mnist-10k")
    assert (spec.epochs, spec.dataset) == (1, "mnist-10k")
    assert spec.model == resolved(preset="mnist-99").model


def test_a_field_given_with_its_default_wins_too() -> None:
    assert resolved(preset="mnist-99", loss="mse").loss == "mse"


def test_an_object_that_was_given_replaces_the_presets_whole_object() -> None:
    spec = resolved(preset="mnist-best", model={"type": "cnn", "filters": [8]})
    assert spec.model == Spec.model_validate({"model": {"type": "cnn", "filters": [8]}}).model


def test_resolving_again_changes_nothing() -> None:
    spec = resolved(preset="mnist-best", epochs=3)
    assert resolve(spec) == spec


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownPreset, match="known here: textbook, mnist-99, mnist-best") as caught:
        resolved(preset="mnist-100")
    assert (caught.value.code, caught.value.pointer) == ("unknown_preset", "/preset")


def test_a_softmax_models_loss_is_cross_entropy_unless_another_was_given() -> None:
    assert resolved(model={"type": "softmax"}).loss == "cross_entropy"
    assert resolved(model={"type": "softmax"}, loss="mse").loss == "mse"
    assert resolved(model={"type": "cnn"}).loss == "mse"


BODIES: list[dict[str, object]] = [
    {},
    {"epochs": 3, "model": {"type": "cnn", "filters": [8]}, "metadata": {"team": "a"}},
    {"model": {"type": "softmax"}, "validation_split": 0.1, "early_stopping": {"patience": 2}},
    {"augmentation": None, "loss": "mse", "schedule": {"type": "cosine"}},
]


FIXED = [name for name, preset in PRESETS.items() if not preset.by_data]


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("body", BODIES, ids=lambda body: "-".join(body) or "empty")
def test_what_is_resolved_is_as_if_it_had_been_asked_for_in_full(name: str, body: dict[str, object]) -> None:
    spec = resolved(**body, preset=name)
    assert Spec.model_validate(spec.model_dump()) == spec
    written = Spec.model_validate({**PRESETS[name].values, **body, "preset": name})
    assert spec.model_copy(update={"loss": written.loss}) == written


def test_no_preset_has_a_field_that_is_checked_beside_another() -> None:
    # Presets and bodies are checked each by itself: what both together must satisfy would need a look at both.
    assert not any({"validation_split", "early_stopping"} & preset.values.keys() for preset in PRESETS.values())


def test_a_body_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    body = Spec.model_validate({"preset": "mnist-99", "epochs": 2})
    resolved(preset="mnist-99")
    monkeypatch.setattr(Spec, "model_validate", None)
    assert resolve(body).epochs == 2


FLOWERS = DatasetInfo(
    name="flowers@2", kind="table", shape=(4,), classes=("a", "b", "c"), train_examples=120, test_examples=30
)
HOUSES = DatasetInfo(
    name="houses@1", kind="table", shape=(9,), targets=(Target("price", 5, 2),), train_examples=50_000, test_examples=30
)


@pytest.mark.parametrize("name", [AUTO, TABLE])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: "-".join(body) or "empty")
@pytest.mark.parametrize("dataset", [FLOWERS, HOUSES, find("mnist")], ids=lambda dataset: dataset.name)
def test_what_the_data_decides_is_told_and_what_was_given_wins(
    name: str, body: dict[str, object], dataset: DatasetInfo
) -> None:
    spec, choices = resolution(Spec.model_validate({**body, "preset": name}), dataset)
    decided = {choice.field: choice.value for choice in choices}
    assert not decided.keys() & body.keys()
    assert all(choice.reason for choice in choices)
    written = Spec.model_validate({**decided, **body, "preset": name, "dataset": dataset.name})
    assert spec.model_copy(update={"loss": written.loss}) == written
    assert resolution(spec, dataset) == (spec, ())


def test_an_empty_spec_on_an_upload_is_auto() -> None:
    spec = resolve(Spec(dataset="flowers"), FLOWERS)
    assert (spec.preset, spec.dataset, spec.loss) == (AUTO, "flowers@2", "cross_entropy")
    assert resolve(Spec(dataset="houses"), HOUSES).loss == "mse"


def test_nothing_is_stopped_by_examples_that_are_not_held_out() -> None:
    spec = resolve(Spec(validation_split=0.0), FLOWERS)
    assert spec.early_stopping is None
    assert Spec.model_validate(spec.model_dump()) == spec


def images(height: int, width: int, **changes: Any) -> DatasetInfo:
    given: dict[str, Any] = {"classes": ("a", "b"), "train_examples": 600, "test_examples": 100, **changes}
    return DatasetInfo(name="pictures@1", shape=(height, width, 3), **given)


@pytest.mark.parametrize(
    ("size", "filters", "shift"),
    [
        ((8, 8), (16, 32, 64), 1),
        ((48, 64), (16, 32, 64), 3),
        ((128, 128), (16, 32, 64, 128), 8),
        ((512, 300), (16, 32, 64, 128, 128, 128), 16),
    ],
)
def test_images_get_a_network_and_changes_of_their_size(
    size: tuple[int, int], filters: tuple[int, ...], shift: int
) -> None:
    spec = resolve(Spec(), images(*size))
    assert isinstance(spec.model, CNN)
    assert spec.model.filters == filters
    assert spec.augmentation
    assert spec.augmentation.shift_pixels == shift


LOOKED_UP: dict[str, Any] = {
    "type": "layers",
    "layers": [{"type": "embedding", "input_dim": 256, "output_dim": 1}, {"type": "flatten"}, {"type": "dense"}],
}


@pytest.mark.parametrize(("name", "dataset"), [(AUTO, images(32, 32)), ("mnist-best", find("mnist"))])
def test_pixels_that_are_looked_up_are_changed_only_where_that_was_asked_for(name: str, dataset: DatasetInfo) -> None:
    body = {"preset": name, "model": LOOKED_UP, "loss": "cross_entropy"}
    spec, choices = resolution(Spec.model_validate(body), dataset)
    assert spec.augmentation is None
    assert "augmentation" not in [choice.field for choice in choices]
    check_fit(spec, dataset)
    asked = Spec.model_validate({**body, "augmentation": {"shift_pixels": 1}, "export": ["keras"]})
    with pytest.raises(InvalidSpec, match="cannot be augmented"):
        check_fit(resolve(asked, dataset), dataset)


def test_numbers_are_not_told_from_images_that_were_changed() -> None:
    spec = resolve(Spec(), images(32, 32, classes=(), targets=(Target("angle", 0, 1),)))
    assert (spec.augmentation, spec.loss) == (None, "mse")


def test_examples_that_were_brought_say_when_to_stop_and_none_are_held_out() -> None:
    spec = resolve(Spec(), images(32, 32, train_examples=50, validation_examples=20))
    assert spec.validation_split == 0
    assert spec.early_stopping
    assert spec.early_stopping.monitor == "val_loss"
    check_fit(spec, images(32, 32, train_examples=50, validation_examples=20))
