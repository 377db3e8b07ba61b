"""Names the part of a submitted body that an error is about, as an RFC 6901 JSON pointer."""

from collections.abc import Mapping, Sequence
from typing import Any, cast


def to_pointer(location: Sequence[str | int]) -> str:
    """The pointer to a place in a body."""
    return "".join(f"/{_escaped(str(part))}" for part in location)


def pointer_within(location: Sequence[str | int], body: Any) -> str:
    """The pointer into a body for a Pydantic error's location in it.

    Pydantic puts more there than is in the body: behind a tagged field the chosen tag (`optimizer`, `sgd`,
    `learning_rate`), behind a union the alternative that was tried, behind a mapping's refused key `[key]`.
    """
    parts: list[str | int] = []
    place: Any = body
    is_inside = False
    for at, part in enumerate(location):
        if isinstance(place, Mapping):
            members = cast("Mapping[Any, Any]", place)
            is_last, is_tag = at == len(location) - 1, part == members.get("type") and not is_inside
            is_alternative = part not in members and (not is_last or "[" in str(part))
            if is_alternative or (is_tag and (part not in members or not is_last)):
                is_inside = is_inside or is_tag
                continue
            place = members.get(part)
        elif isinstance(place, list) and isinstance(part, int):
            items = cast("list[Any]", place)
            place = items[part] if part < len(items) else None
        else:
            continue
        parts.append(part)
        is_inside = False
    return to_pointer(parts)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
