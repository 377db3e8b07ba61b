"""Lengths are looked at before what they count."""

import sys
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from api.http.extent import extent_of
from jobs.spec import Spec
from jobs.wire import MOST_ERRORS


class Leaf(BaseModel):
    type: Literal["leaf"]
    widths: Annotated[list[int], Field(max_length=2)]


class Branch(BaseModel):
    type: Literal["branch"]
    widths: Annotated[list[int], Field(max_length=3)]
    leaves: Annotated[list[Leaf], Field(max_length=2)]


class Tree(BaseModel):
    part: Annotated[Leaf | Branch, Field(discriminator="type")]
    labels: Annotated[dict[str, Annotated[list[int], Field(max_length=1)]], Field(max_length=2)]
    size: int | None


def found(value: Any, model: type[BaseModel] = Tree) -> dict[str | None, str]:
    return {error.pointer: error.detail for error in extent_of(model).excesses(value)}


@pytest.mark.parametrize(
    ("value", "pointer", "told"),
    [
        ({"part": {"type": "leaf", "widths": [0] * 4}}, "/part/widths", "at most 3 items, not 4"),
        ({"part": {"leaves": [{"widths": []}] * 3}}, "/part/leaves", "at most 2 items, not 3"),
        ({"part": {"leaves": [{}, {"widths": [0] * 4}]}}, "/part/leaves/1/widths", "at most 2 items, not 4"),
        ({"labels": {key: [] for key in "abc"}}, "/labels", "at most 2 fields, not 3"),
        ({"labels": {"a": [1, 2]}}, "/labels/a", "at most 1 items, not 2"),
        ({f"f{n}": 1 for n in range(30_000)}, "", "at most 3 fields, not 30,000"),
        ({"part": {f"f{n}": 1 for n in range(MOST_ERRORS + 4)}}, "/part", "at most 3 fields, not 24"),
    ],
)
def test_too_much_is_named_with_both_numbers(value: Any, pointer: str, told: str) -> None:
    excesses = found(value)
    assert list(excesses) == [pointer]
    assert told in str(excesses[pointer])


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"part": {"type": "leaf", "widths": [0] * 3}},
        {f"f{n}": 1 for n in range(MOST_ERRORS + 3)},  # few enough to name each
        {"size": [0] * 30_000, "part": [0] * 30_000, "labels": 1},  # each one mistake of its own kind
        {"part": {"widths": {f"f{n}": 1 for n in range(30_000)}}},
        [0] * 30_000,
    ],
)
def test_what_is_no_matter_of_length_is_left_to_the_model(value: Any) -> None:
    assert found(value) == {}


def test_nothing_within_what_is_too_long_is_looked_at() -> None:
    class Untouchable(list[Any]):
        def __iter__(self) -> Any:
            pytest.fail("an item was looked at")

    assert "at most 2 items" in str(found({"part": {"leaves": Untouchable([0] * 3)}})["/part/leaves"])


def test_a_model_without_longest_lengths_has_no_extent() -> None:
    class Endless(BaseModel):
        items: list[int]

    with pytest.raises(KeyError):
        extent_of(Endless)


def test_every_list_and_mapping_of_a_spec_has_a_longest_length() -> None:
    extent = extent_of(Spec)
    assert extent.most_fields == len(Spec.model_fields)
    assert "at most 16 items, not 17" in found({"model": {"type": "mlp", "hidden": [1] * 17}}, Spec)["/model/hidden"]
    assert "at most 16 fields" in found({"metadata": {str(n): "" for n in range(17)}}, Spec)["/metadata"]


def test_a_refusal_takes_no_more_calls_the_longer_the_list_is() -> None:
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    counts: list[int] = []
    for length in (100, 100_000):
        body = {"model": {"type": "mlp", "hidden": [0] * length}}
        extent_of(Spec)
        calls = 0
        sys.setprofile(count)
        try:
            list(extent_of(Spec).excesses(body))
        finally:
            sys.setprofile(None)
        counts.append(calls)
    assert counts[0] == counts[1]
