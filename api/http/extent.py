"""How large a body may be in its parts: the longest lists and the most fields that a model allows.

Pydantic looks at every item of a list that is too long and reports every field that there is not, so a refusal costs
what was sent. Here lengths are looked at before anything that they count, which costs what is allowed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, reduce
from typing import Any, cast

from pydantic import BaseModel

from jobs.wire import MOST_ERRORS, FieldError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there may be of a value, in whichever of its forms it comes.

    None where it has no such form: a list in the place of a number is one mistake, however long it is.
    """

    most_items: int | None = None
    item: "Extent | None" = None
    most_fields: int | None = None
    spare_fields: int = 0
    """So many more are let through, to be named as misspelt."""
    fields: Mapping[str, "Extent"] = field(default_factory=dict[str, "Extent"])
    """Of those fields in which there may be too much."""
    other: "Extent | None" = None
    """Of fields whose names are free."""

    def excesses(self, value: Any, pointer: str = "") -> Iterator[FieldError]:
        """Where there is too much, outermost first, and nothing within that."""
        if isinstance(value, list) and self.most_items is not None:
            items = cast("list[Any]", value)
            if len(items) > self.most_items:
                yield _excess(pointer, "items", most=self.most_items, count=len(items))
            elif self.item:
                for n, item in enumerate(items):
                    yield from self.item.excesses(item, f"{pointer}/{n}")
        elif isinstance(value, dict) and self.most_fields is not None:
            given = cast("Json", value)
            if len(given) > self.most_fields + self.spare_fields:
                yield _excess(pointer, "fields", most=self.most_fields, count=len(given))
            else:
                yield from self._within(given, pointer)

    def _within(self, given: Json, pointer: str) -> Iterator[FieldError]:
        for name, extent in self.fields.items():
            if name in given:
                yield from extent.excesses(given[name], f"{pointer}/{name}")
        if self.other:
            for name in given.keys() - self.fields.keys():
                yield from self.other.excesses(given[name], f"{pointer}/{name}")


_SCALAR = Extent()


@cache
def extent_of(model: type[BaseModel]) -> Extent:
    """The extent of a model's fields, by its JSON schema.

    Raises KeyError for a model with a list or a mapping that may be of any length.
    """
    schema = model.model_json_schema()
    return _extent(schema, schema.get("$defs", {}))


def _extent(schema: Json, definitions: Json) -> Extent:
    if "$ref" in schema:
        return _extent(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return reduce(_either, (_extent(choice, definitions) for choice in choices))
    if schema.get("type") == "array":
        items = [schema["items"]] if "items" in schema else schema["prefixItems"]
        return Extent(
            most_items=schema["maxItems"], item=reduce(_both, (_counted(item, definitions) for item in items))
        )
    if schema.get("type") == "object" and "properties" in schema:
        properties: Json = schema["properties"]
        found = {name: _counted(prop, definitions) for name, prop in properties.items()}
        fields = {name: extent for name, extent in found.items() if extent}
        return Extent(most_fields=len(properties), spare_fields=MOST_ERRORS, fields=fields)
    if schema.get("type") == "object":
        return Extent(most_fields=schema["maxProperties"], other=_counted(schema["additionalProperties"], definitions))
    return _SCALAR


def _counted(schema: Json, definitions: Json) -> Extent | None:
    """The extent of what this schema describes; None where nothing can be too much."""
    extent = _extent(schema, definitions)
    return None if extent == _SCALAR else extent


def _either(one: Extent, other: Extent) -> Extent:
    """What fits into one of two extents, taken field by field."""
    return Extent(
        most_items=_larger(one.most_items, other.most_items),
        item=_both(one.item, other.item),
        most_fields=_larger(one.most_fields, other.most_fields),
        spare_fields=max(one.spare_fields, other.spare_fields),
        fields={
            name: extent
            for name in [*one.fields, *(name for name in other.fields if name not in one.fields)]
            if (extent := _both(one.fields.get(name), other.fields.get(name)))
        },
        other=_both(one.other, other.other),
    )


def _both(one: Extent | None, other: Extent | None) -> Extent | None:
    return _either(one, other) if one and other else one or other


def _larger(one: int | None, other: int | None) -> int | None:
    return max((n for n in (one, other) if n is not None), default=None)


def _excess(pointer: str, what: str, *, most: int, count: int) -> FieldError:
    return FieldError(pointer=pointer, detail=f"Input should have at most {most:,} {what}, not {count:,}")
