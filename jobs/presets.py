"""Named starting points for a job, and what a spec becomes by them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from jobs import networks
from jobs.architecture import describe
from jobs.automatic import Choice, picked
from jobs.datasets import CATALOGUE, DatasetInfo
from jobs.errors import UnknownPreset
from jobs.spec import Layers, Softmax, Spec

TEXTBOOK = "textbook"
AUTO = "auto"
TABLE = "table"


@dataclass(frozen=True, slots=True)
class Preset:
    """Values that a spec takes where the user gave none."""

    name: str
    description: str
    values: dict[str, Any]
    pick: Callable[[DatasetInfo, Mapping[str, Any]], Iterator[Choice]] | None = None
    """What picks the values by the dataset, and raises InvalidSpec for one that it does not suit. Those of fields that
    are given, its second argument, are not taken."""

    @property
    def by_data(self) -> bool:
        """Whether the dataset decides the values."""
        return self.pick is not None


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            TEXTBOOK,
            "The loop of every textbook: MLP 784-256-128-10, squared error, plain SGD. What an empty spec means on a "
            "built-in dataset.",
            {},
        ),
        Preset(
            "mnist-99",
            "A small CNN that passes 99 % on the full test set after three epochs.",
            {
                "dataset": "mnist",
                "model": {"type": "cnn", "filters": [16, 32, 64]},
                "loss": "cross_entropy",
                "optimizer": {"type": "adam", "learning_rate": 0.005},
                "schedule": {"type": "linear", "warmup_fraction": 0.1},
                "epochs": 3,
            },
        ),
        Preset(
            "mnist-best",
            "The most accurate model that a CPU trains in under ten minutes.",
            {
                "dataset": "mnist",
                "model": {"type": "cnn", "filters": [24, 48, 96], "dense": [128], "dropout": 0.4},
                "loss": "cross_entropy",
                "optimizer": {"type": "adam", "learning_rate": 0.003},
                "schedule": {"type": "one_cycle"},
                "augmentation": {"shift_pixels": 2, "rotate_degrees": 10.0, "zoom": 0.1},
                "epochs": 15,
            },
        ),
        Preset(
            TABLE,
            "For rows: an MLP 64-64 with Adam, stopped early by 10 % of the training examples where there are 200 or "
            "more; batch size and epochs by their number.",
            {},
            pick=picked,
        ),
        Preset(
            "resnet-small",
            "For images of 8 x 8 pixels or more: a residual network of three blocks with batch normalization, Adam. "
            "99.3 % on the full MNIST.",
            {},
            pick=networks.resnet_small,
        ),
        Preset(
            "lstm",
            "For sequences, arrays of steps x features, or images row by row: an LSTM with Adam.",
            {},
            pick=networks.lstm,
        ),
        Preset(
            "attention",
            "For the same: two blocks of attention behind a window over the steps, with Adam.",
            {},
            pick=networks.attention,
        ),
        Preset(
            AUTO,
            "What suits the data, by its kind, task and size; the job's `choices` say what and why. What an empty spec "
            "means on an uploaded dataset.",
            {},
            pick=picked,
        ),
    )
}


class Resolution(NamedTuple):
    """A spec with every default filled in, and what of it the data decided."""

    spec: Spec
    choices: tuple[Choice, ...] = ()


def dataset_named(body: Spec) -> str:
    """The dataset that a spec is about: its own, its preset's or the default. Raises UnknownPreset."""
    if "dataset" in body.model_fields_set:
        return body.dataset
    return _parsed(body.preset or TEXTBOOK).dataset


def resolve(body: Spec, dataset: DatasetInfo | None = None) -> Spec:
    """The spec that `resolution` finds."""
    return resolution(body, dataset).spec


def resolution(body: Spec, dataset: DatasetInfo | None = None) -> Resolution:
    """Fill in a preset: fields the user gave win, whole objects at a time. A softmax model's loss is cross-entropy.

    `dataset` is that of `dataset_named`; without it the spec is one of a built-in dataset.

    Of the formats that a model leaves in by default those stay that its layers have; a network that looks up pixels
    takes no augmentation that was not asked for.

    Raises UnknownPreset, and InvalidSpec where the preset does not suit the dataset, or layers do not go together.
    """
    dataset = dataset or CATALOGUE[dataset_named(body)]
    name = body.preset or (TEXTBOOK if dataset.name in CATALOGUE else AUTO)
    preset = _parsed(name)
    values: dict[str, Any] = {field: getattr(body, field) for field in body.model_fields_set}
    values |= {"preset": name, "dataset": dataset.name}
    choices: tuple[Choice, ...] = ()
    if pick := PRESETS[name].pick:
        preset, choices = _by_data(pick, values, dataset)
    # Neither side needs its fields checked again, and none that goes ill with the user's is left.
    spec = preset.model_copy(update=values)
    if spec.augmentation and "augmentation" not in values and _looks_up_pixels(spec):
        spec = spec.model_copy(update={"augmentation": None})
        choices = tuple(choice for choice in choices if choice.field != "augmentation")
    if "loss" not in spec.model_fields_set and isinstance(spec.model, Softmax) and dataset.task == "classification":
        # Squared error over 784 raw inputs diverges at the rates that suit every other default.
        spec = spec.model_copy(update={"loss": "cross_entropy"})
    if "export" not in body.model_fields_set and isinstance(spec.model, Layers):
        formats = describe(spec, dataset).formats
        spec = spec.model_copy(update={"export": tuple(each for each in spec.export if each in formats)})
    return Resolution(spec, choices)


def _looks_up_pixels(spec: Spec) -> bool:
    return isinstance(spec.model, Layers) and any(layer.takes_ids for layer in spec.model.layers)


def _by_data(
    pick: Callable[[DatasetInfo, Mapping[str, Any]], Iterator[Choice]], given: Mapping[str, Any], dataset: DatasetInfo
) -> tuple[Spec, tuple[Choice, ...]]:
    picks = [choice for choice in pick(dataset, given) if choice.field not in given]
    return Spec.model_validate({choice.field: choice.value for choice in picks}), tuple(picks)


@cache
def _parsed(name: str) -> Spec:
    """The preset's values, checked once. Raises UnknownPreset."""
    if name not in PRESETS:
        raise UnknownPreset(name, known=PRESETS)
    return Spec.model_validate(PRESETS[name].values)
