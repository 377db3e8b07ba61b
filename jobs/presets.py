"""Named starting points for a job."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from jobs.errors import UnknownPreset
from jobs.spec import Softmax, Spec

TEXTBOOK = "textbook"


@dataclass(frozen=True, slots=True)
class Preset:
    """Values that a spec takes where the user gave none."""

    name: str
    description: str
    values: dict[str, Any]


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            TEXTBOOK,
            "The loop of every textbook: MLP 784-256-128-10, squared error, plain SGD. What an empty spec means.",
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
    )
}


def resolve(body: Spec) -> Spec:
    """Fill in a preset: fields the user gave win, whole objects at a time. A softmax model's loss is cross-entropy.

    Raises UnknownPreset.
    """
    name = body.preset or TEXTBOOK
    try:
        preset = _parsed(name)
    except KeyError:
        raise UnknownPreset(name, known=PRESETS) from None
    values = {field: getattr(body, field) for field in body.model_fields_set}
    # Neither side needs its fields checked again, and no preset has one that is checked beside another.
    spec = preset.model_copy(update={**values, "preset": name})
    if "loss" not in spec.model_fields_set and isinstance(spec.model, Softmax):
        # Squared error over 784 raw inputs diverges at the rates that suit every other default.
        spec = spec.model_copy(update={"loss": "cross_entropy"})
    return spec


@cache
def _parsed(name: str) -> Spec:
    """The preset's values, checked once. Raises KeyError where there is none of this name."""
    return Spec.model_validate(PRESETS[name].values)
