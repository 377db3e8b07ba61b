"""Named starting points for a job."""

from dataclasses import dataclass
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
        preset = PRESETS[name]
    except KeyError:
        raise UnknownPreset(name, known=PRESETS) from None
    given = body.model_dump(exclude_unset=True)
    values = {**preset.values, **given, "preset": name}
    if "loss" not in values and isinstance(body.model, Softmax):
        # Squared error over 784 raw inputs diverges at the rates that suit every other default.
        values["loss"] = "cross_entropy"
    return Spec.model_validate(values)
