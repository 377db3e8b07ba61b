"""Says why the server refused a request: each wrong field once, as one types it, with what was probably meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast, get_args

from pydantic import BaseModel

from gradientd.cli.wording import in_our_words, meant, with_meant
from jobs.spec import Spec
from jobs.wire import FaultAt, FieldError, Problem

KNOWN_HERE = "known here: "
NO_SUCH_FIELD = "there is no such field"
MOST_LISTED = 8
MOST_FAULTS_SHOWN = 20
"""Of more of them the rest is only counted; `--json` and the API name a thousand."""
_AND_MORE = re.compile(r"\(and (\d+) more\)$")


def refusal_lines(problem: Problem, *, body: Mapping[str, Any] | None = None) -> list[str]:
    """What to tell of a problem: a line, and one for each wrong field if there are several. `body` is what was sent."""
    said = problem.detail or problem.title or f"the server answered {problem.status}"
    if problem.faults:
        return fault_lines(problem)
    fields = [field_words(field, body or {}) for field in problem.errors]
    if not fields:
        return [said]
    first = problem.errors[0].detail
    if not first or first not in said:
        return [said, *(f"  {field}" for field in fields)]
    if len(fields) == 1:  # the detail says the same
        return fields
    unsaid = _AND_MORE.search(said)
    others = int(unsaid[1]) + 1 - len(fields) if unsaid else 0
    title = problem.title or "several fields are wrong"
    return [f"{title}:", *(f"  {field}" for field in fields), *([f"  and {others} more"] if others > 0 else [])]


def fault_lines(problem: Problem) -> list[str]:
    """What is wrong with an upload or with rows, place by place."""
    title = problem.title or "faults were found"
    shown = problem.faults[:MOST_FAULTS_SHOWN]
    more = (problem.faults_total or len(problem.faults)) - len(shown)
    whole = _of_the_whole(problem)
    return [
        f"{title}:",
        *([f"  {whole}"] if whole else []),
        *(f"  {fault_words(fault)}" for fault in shown),
        *([f"  and {more:,} more"] if more > 0 else []),
    ]


def _of_the_whole(problem: Problem) -> str:
    """What is wrong beside the faults; the detail has it before the first of them."""
    place = next((name for name in ("file", "row", "line") if getattr(problem.faults[0], name) is not None), "")
    before, found, _ = (problem.detail or "").partition(f": {place} ")
    return before if place and found and not before.startswith(f"{place} ") else ""


def fault_words(fault: FaultAt) -> str:
    """A place, and what is wrong there."""
    places = (("line", fault.line), ("row", None if fault.line else fault.row), ("column", fault.column))
    where = ", ".join(f"{name} {place}" for name, place in places if place is not None)
    where = ", ".join(filter(None, (fault.file, where)))
    return f"{where}: found {fault.found}; wanted {fault.wanted}"


def field_words(field: FieldError, body: Mapping[str, Any]) -> str:
    """A wrong field or parameter, and what is wrong with it."""
    path = steps(field.pointer or "")
    name = ".".join(path) or field.parameter
    given = value_at(body, path)
    detail = in_our_words(field.detail)
    _, known, names = detail.partition(KNOWN_HERE)
    if detail == NO_SUCH_FIELD and path:
        detail += instead(path, body)
    elif known and isinstance(given, str):
        detail += meant(given, names.split(", "))
    else:
        detail = with_meant(detail, given)
    if (layer := layer_at(path, body)) and not detail.startswith("layer "):
        detail = f"{detail} (in {layer})"
    return f"{name}: {detail}" if name else detail


def layer_at(path: Sequence[str], body: Mapping[str, Any]) -> str:
    """The layer of a model that a path leads into, in words; nothing for other paths."""
    layer = value_at(body, path[:3])
    if tuple(path[:2]) != ("model", "layers") or not isinstance(layer, Mapping):
        return ""
    told = cast("Mapping[str, Any]", layer)
    place, name = int(path[2]) + 1, told.get("name") or told.get("type")
    return f"layer {place}, {name!r}"


def instead(path: Sequence[str], body: Mapping[str, Any]) -> str:
    """What may stand where there is no such field: what is like it, or else all, if those are few."""
    possible = fields_at(path[:-1], body)
    near = meant(path[-1], possible)
    if near or not 0 < len(possible) <= MOST_LISTED:
        return near
    return f"; there are {', '.join(possible)}"


def fields_at(path: Sequence[str], body: Mapping[str, Any]) -> list[str]:
    """The fields that a spec has at a path: those of the type that the body chooses there, or of all types."""
    kinds: list[type[BaseModel]] = [Spec]
    place: Any = body
    for step in path:
        place = cast("Mapping[str, Any]", place).get(step) if isinstance(place, Mapping) else None
        fields = [kind.model_fields[step] for kind in kinds if step in kind.model_fields]
        kinds = [found for field in fields for found in models_in(field.annotation)]
        chosen = cast("Mapping[str, Any]", place).get("type") if isinstance(place, Mapping) else None
        kinds = [kind for kind in kinds if type_of(kind) == chosen] or kinds
    return sorted({name for kind in kinds for name in kind.model_fields})


def type_of(kind: type[BaseModel]) -> object:
    """The `type` that a body gives for this model."""
    return kind.model_fields["type"].default if "type" in kind.model_fields else None


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def steps(pointer: str) -> list[str]:
    """The parts of a JSON pointer (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def value_at(body: Any, path: Sequence[str]) -> Any:
    """What the body has at a path; None where it has nothing."""
    for step in path:
        if isinstance(body, Mapping):
            body = cast("Mapping[str, Any]", body).get(step)
        elif isinstance(body, list) and step.isdigit() and int(step) < len(cast("list[Any]", body)):
            body = cast("list[Any]", body)[int(step)]
        else:
            return None
    return body
