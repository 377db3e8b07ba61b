"""A spec as `gradientd show` tells it: what decides the training, and what was set beside it."""

from typing import Any

from pydantic import BaseModel

from jobs.presets import PRESETS, TEXTBOOK, resolve
from jobs.spec import Spec

ALWAYS = frozenset({"dataset", "model", "loss", "optimizer", "epochs", "batch_size"})
"""What is told of each job, whether it was asked for or not."""
ALWAYS_WITHIN = frozenset({"type", "learning_rate"})
ELSEWHERE = frozenset({"metadata"})
"""What is shown in lines of its own."""
LONGEST_RUNTIME_SECONDS = 30 * 24 * 3600
"""The running time of a job that names none, on a server that sets no other."""


def summary(spec: Spec, *, usual_runtime_seconds: int | None = None) -> dict[str, Any]:
    """The fields to tell, in the spec's order: another job of these is the same.

    A running time that nobody set is not among them: that is the server's, `usual_runtime_seconds` where it is known.
    """
    is_named = names_its_start(spec)
    start = resolve(Spec(preset=spec.preset)) if is_named and spec.preset in PRESETS else Spec()
    usual = LONGEST_RUNTIME_SECONDS if usual_runtime_seconds is None else usual_runtime_seconds
    told: dict[str, Any] = {"preset": spec.preset} if is_named else {}
    for name, field in Spec.model_fields.items():
        value = getattr(spec, name)
        if name == "preset" or name in ELSEWHERE or (name == "max_runtime_seconds" and value == usual):
            continue
        if name in ALWAYS or value != field.default or value != getattr(start, name):
            told[name] = part(value)
    return told


def part(value: object) -> Any:
    """A field's value; of an object its type, its learning rate, and what differs from the type's defaults,
    which is all of it where the type is a newer server's."""
    if not isinstance(value, BaseModel):
        return value
    fields = type(value).model_fields
    members = value.model_dump(mode="json", warnings=False)
    return {
        name: member
        for name, member in members.items()
        if name in ALWAYS_WITHIN or name not in fields or getattr(value, name) != fields[name].default
    }


def names_its_start(spec: Spec) -> bool:
    """Whether the preset says what the job is. `textbook` stands for every spec that names none, whatever is in it."""
    if spec.preset != TEXTBOOK:
        return spec.preset is not None
    textbook = Spec()
    return all(getattr(spec, name) == getattr(textbook, name) for name in ("model", "loss", "optimizer", "schedule"))
