"""Each header is read by itself, of all its lines."""

from typing import Any, get_args

import pytest
from starlette.requests import Request

from api.http.headers import IdempotencyKey, IfNoneMatch, Prefer
from api.http.problems import Refused


def read(header: Any, *lines: str) -> Any:
    part = get_args(header)[1]
    return part.read(
        Request({"type": "http", "headers": [(part.name.lower().encode(), line.encode()) for line in lines]})
    )


def test_an_absent_header_says_nothing() -> None:
    assert (read(IdempotencyKey), read(IfNoneMatch), read(Prefer)) == ("", "", 0)


@pytest.mark.parametrize(("sent", "key"), [("a", "a"), ('"a"', "a"), ('""', '""'), ("x" * 255, "x" * 255), ('"', '"')])
def test_an_idempotency_key_loses_its_quotes(sent: str, key: str) -> None:
    assert read(IdempotencyKey, sent) == key


@pytest.mark.parametrize("sent", ["", " ", "a b", "x" * 256, "a\tb", "\x7f"])
def test_an_idempotency_key_of_another_form_is_refused(sent: str) -> None:
    with pytest.raises(Refused) as refused:
        read(IdempotencyKey, sent)
    assert [error.parameter for error in refused.value.errors] == ["Idempotency-Key"]


def test_a_key_sent_twice_is_no_key() -> None:
    with pytest.raises(Refused):
        read(IdempotencyKey, "a", "b")


def test_the_lines_of_a_header_are_one_list() -> None:
    assert read(IfNoneMatch, '"1"', '"2"') == '"1", "2"'
    assert read(Prefer, "respond-async", "wait=7") == 7
