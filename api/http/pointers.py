"""Names the part of a submitted job spec that an error is about, as an RFC 6901 JSON pointer."""

from collections.abc import Sequence

from jobs.spec import Spec

TAGGED = frozenset(name for name, field in Spec.model_fields.items() if field.discriminator)
"""Fields of the spec whose `type` says which model they are."""


def to_pointer(location: Sequence[str | int]) -> str:
    """The pointer into the body for a Pydantic error's location in a `Spec`.

    Pydantic puts the chosen model's tag behind a tagged field (`optimizer`, `sgd`, `learning_rate`) and
    `[key]` behind a mapping's refused key; neither is in the body.
    """
    parts = list(location)
    if len(parts) > 1 and parts[0] in TAGGED:
        del parts[1]
    if parts and parts[-1] == "[key]":
        parts.pop()
    return "".join(f"/{_escaped(str(part))}" for part in parts)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
