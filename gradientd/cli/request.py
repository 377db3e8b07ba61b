"""The body of `POST /v1/jobs` out of a file, short options and `--set`."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

Body = dict[str, Any]


class BadOption(ValueError):
    """An option or file cannot be understood. The message says which and why."""


@dataclass(frozen=True)
class Change:
    """A value to be put at a place in the body."""

    path: tuple[str, ...]
    value: Any


def parse_body(text: str, *, source: str) -> Body:
    """The JSON object in a file.

    Raises:
        BadOption: it holds something else.
    """
    try:
        body: object = json.loads(text)
    except ValueError as error:
        raise BadOption(f"{source} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadOption(f"{source} must hold a JSON object")
    return cast("Body", body)


def parse_set(option: str) -> Change:
    """`path.to.field=value`, the value as JSON, or as a string where it is not JSON.

    Raises:
        BadOption: there is no `=`, or a part of the path is empty.
    """
    path, equals, text = option.partition("=")
    names = tuple(path.split("."))
    if not equals or not all(names):
        raise BadOption(f"{option!r} is not of the form path.to.field=value")
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = text
    return Change(names, value)


def parse_label(option: str) -> tuple[str, str]:
    """`key=value`.

    Raises:
        BadOption: there is no `=` after a key.
    """
    key, equals, value = option.partition("=")
    if not key or not equals:
        raise BadOption(f"{option!r} is not of the form key=value")
    return key, value


def build_body(base: Body, changes: Sequence[Change], *, resolve: Callable[[Body], Body]) -> Body:
    """The body with the changes made, later ones over earlier ones.

    A change inside an object that the body does not have, as of `optimizer.learning_rate`, is made to the object that
    the server would put there, which `resolve` answers for a body. Where a change gives an object another `type`, it
    begins anew with that type's defaults.
    """
    body = copy.deepcopy(base)
    resolved: Body | None = None
    for change in sorted(changes, key=chooses_type, reverse=True):
        name, *inner = change.path
        if inner and not isinstance(body.get(name), dict):
            resolved = resolve(body) if resolved is None else resolved
            body[name] = copy.deepcopy(resolved[name]) if isinstance(resolved.get(name), dict) else {}
        put(body, change)
    return body


def chooses_type(change: Change) -> bool:
    """Whether the change picks the kind of an object, which decides what else it can have."""
    return len(change.path) > 1 and change.path[-1] == "type"


def put(body: Body, change: Change) -> None:
    """Put the change's value at its place, making objects on the way."""
    *outer, name = change.path
    place = body
    for step in outer:
        if not isinstance(place.get(step), dict):
            place[step] = {}
        place = place[step]
    if chooses_type(change) and place.get(name) != change.value:
        place.clear()
    place[name] = change.value
