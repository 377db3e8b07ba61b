"""Answers of newer servers: what this version does not know is set aside, the rest read, and it put back as it came.

A status that is not known becomes a status of that name, a word where only some are known stays that word, a number
beyond what is known stays that number, and a kind of model, optimizer or schedule that is not known becomes an
`Unknown`, as does a model with a layer that is not. A part that is missing, or of another type, is no such answer.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

M = TypeVar("M", bound=BaseModel)
E = TypeVar("E", bound=StrEnum)
Place = tuple[str | int, ...]

WORDS = frozenset({"enum", "literal_error"})
KINDS = frozenset({"union_tag_invalid"})
BOUNDS = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "too_long",
        "too_short",
        "string_too_long",
        "string_too_short",
        "string_pattern_mismatch",
    }
)
MOST_ROUNDS = 4
"""What is set aside may uncover more that is not known."""


class Unknown(BaseModel):
    """A part of an answer whose kind, `type`, this version does not know; its members are attributes."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str


def read(content: str | bytes, model: type[M]) -> M:
    """The answer. Raises ValidationError for what is none."""
    try:
        return model.model_validate_json(content, extra="ignore")
    except ValidationError as error:
        return _read_apart(content, model, error)


def _read_apart(content: str | bytes, model: type[M], error: ValidationError) -> M:
    if any(each["type"] == "json_invalid" for each in error.errors(include_url=False)):
        raise error
    told, known = from_json(content), from_json(content)
    aside: dict[Place, Any] = {}
    for _ in range(MOST_ROUNDS):
        for fault in error.errors(include_url=False):
            if not _set_aside(told, known, fault, aside):
                raise error
        try:
            found = model.model_validate(known, extra="ignore")
        except ValidationError as next_error:
            error = next_error
            continue
        for place, value in aside.items():
            if not any(place[:length] in aside for length in range(1, len(place))):
                found = _with(found, place, value)
        return found
    raise error


def _set_aside(told: Any, known: Any, fault: Any, aside: dict[Place, Any]) -> bool:
    """Replace in `known` what is not known by what is. False where it is no such fault."""
    kind, place = cast("str", fault["type"]), _place(told, fault["loc"])
    whole = _of_kind_with_parts(told, place)
    if not place or place[-1] == "object" or (kind not in WORDS | KINDS | BOUNDS and whole is None):
        return False
    if kind not in WORDS and whole is not None:
        place = whole
    if kind not in WORDS:  # what is left out of a list would move what is behind it
        while place and isinstance(place[-1], int):
            place = place[:-1]
    if not place or place in aside:
        return bool(place)
    value, parent = _at(told, place), _at(known, place[:-1])
    if kind in WORDS and not isinstance(value, str):
        return False
    if kind in WORDS:
        parent[place[-1]] = _first_word(fault)
    else:
        parent.pop(place[-1], None)
    aside[place] = value
    return True


def _place(document: Any, location: Sequence[str | int]) -> Place:
    """Where a fault is, without the names of variants that a location has between those of members."""
    place: list[str | int] = []
    for step in location:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            continue
        place.append(step)
    return tuple(place)


def _of_kind_with_parts(document: Any, place: Place) -> Place | None:
    """Of a place in a part of an object with a `type` that is made of parts, as a model is of layers: that object."""
    for at, step in enumerate(place):
        if isinstance(step, int) and at > 1 and isinstance(_at(document, place[: at + 1]), dict):
            whole = _at(document, place[: at - 1])
            if isinstance(whole, dict) and "type" in whole:
                return place[: at - 1]
    return None


def _at(document: Any, place: Place) -> Any:
    for step in place:
        document = document[step]
    return document


def _with(found: Any, place: Place, value: Any) -> Any:
    """The same with the value in that place."""
    step = place[0]
    if isinstance(found, BaseModel):
        return found.model_copy(update={str(step): _below(getattr(found, str(step)), place, value)})
    if isinstance(found, dict):
        return {**cast("dict[Any, Any]", found), step: _below(cast("Any", found[step]), place, value)}
    entries: list[Any] = list(found)
    entries[int(step)] = _below(entries[int(step)], place, value)
    return tuple(entries)


def _below(known: Any, place: Place, value: Any) -> Any:
    """What stands in the first of these places: what is known there, with the value further down, or the value."""
    if len(place) > 1:
        return _with(known, place[1:], value)
    if isinstance(known, StrEnum):
        return _newer_word(type(known), value)
    if isinstance(value, dict) and "type" in value:
        return Unknown.model_validate(value)
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else cast("Any", value)


def _newer_word(kind: type[E], word: str) -> E:
    """A member as the enumeration of a newer version has it: it compares, hashes and writes itself as the word does."""
    member = str.__new__(kind, word)
    member._name_, member._value_ = word.upper(), word
    return member


def _first_word(fault: Any) -> str:
    """The first of the words that are known, as the fault names them."""
    known = re.search(r"'([^']*)'", fault.get("ctx", {}).get("expected", ""))
    return known[1] if known else ""
