"""Bodies: strictly JSON, and never more of them than is wanted."""

import gzip
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from api.http import body
from api.http.body import parse_object
from api.http.problems import Refused
from jobs.settings import Settings
from tests.api.conftest import assert_problem

JSON = {"Content-Type": "application/json"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"nope",
        b"   ",
        b"{} {}",
        b'{"epochs":1,}',
        b"{'epochs':1}",
        b'{"epochs":NaN}',
        b'{"epochs":Infinity}',
        b'{"epochs":-Infinity}',
        b'{"epochs":1,"epochs":2}',
        b'{"metadata":{"a":"1","a":"1"}}',
        b'{"epochs":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"metadata":{"a":"\\ud800"}}',
        b'{"metadata":{"\\udfff":"a"}}',
        b'{"metadata":{"a":"\xff"}}',
        b'{"metadata":{"a":"\x00"}}',
        b"\x00",
        b"\xef\xbb\xbf nope",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        '{"epochs":1}'.encode("utf-16"),
    ],
)
async def test_what_is_not_json_is_400_and_says_where(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/v1/jobs", content=content, headers=JSON)
    detail = assert_problem(answer, 400, "malformed_json")["detail"]
    assert "line" in detail or "twice" in detail
    assert len(answer.content) < 1000


@pytest.mark.anyio
@pytest.mark.parametrize("content", [b"[]", b'"x"', b"null", b"1", b"true", b"[{}]"])
async def test_json_that_is_no_object_is_422(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/v1/jobs", content=content, headers=JSON)
    assert assert_problem(answer, 422, "invalid_spec")["errors"][0]["pointer"] == ""


@pytest.mark.anyio
@pytest.mark.parametrize(
    "content",
    [
        b'{"optimizer":{"type":"sgd","learning_rate":1e400}}',
        b'{"epochs":1e5}',
        b'{"epochs":' + b"9" * 4000 + b"}",
        b'{"a":' * 150 + b"1" + b"}" * 150,
        b'{"\\u0000":"\\u0000"}',
        b'{"optimizer":{"type":"' + b"x" * 100_000 + b'"}}',
        b'{"' + b"x" * 100_000 + b'":1}',
        b'{"model":{"type":"mlp","hidden":[' + b"0," * 100_000 + b"0]}}",
        b"{" + b",".join(b'"f%d":1' % n for n in range(20_000)) + b"}",
    ],
)
async def test_strange_values_are_refused_without_repeating_them(http: httpx.AsyncClient, content: bytes) -> None:
    answer = await http.post("/v1/jobs", content=content, headers=JSON)
    assert_problem(answer, 422, "invalid_spec")
    assert len(answer.content) < 8_000


@pytest.mark.anyio
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
        "application/json; charset=latin-1",
        'application/json; profile=x; Charset = "UTF-16"',
        "application/json; charset=",
        "application/json, text/plain",
        "x" * 9000,
    ],
)
async def test_another_type_is_415(http: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await http.post("/v1/jobs", content=b"{}", headers=headers)
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json ; charset=utf8; odata=verbose",
        'application/json; profile="a;charset=latin-1"',
        "application/json;",
        "application/merge-patch+json",
    ],
)
async def test_json_by_any_of_its_names_is_taken(http: httpx.AsyncClient, content_type: str) -> None:
    answer = await http.post("/v1/jobs", content=b'{"epochs":1}', headers={"Content-Type": content_type})
    assert answer.status_code == 202


@pytest.mark.anyio
async def test_two_types_are_no_type(http: httpx.AsyncClient) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    answer = await http.post("/v1/jobs", content=b"{}", headers=headers)
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("header", "value", "coding"),
    [
        ("Content-Encoding", "gzip", "gzip"),
        ("Content-Encoding", "identity, BR", "BR"),
        ("Content-Encoding", "x" * 9000, "x…"),
        ("Transfer-Encoding", "gzip, chunked", "gzip"),
    ],
)
async def test_a_coded_body_is_415_and_the_coding_named(
    http: httpx.AsyncClient, header: str, value: str, coding: str
) -> None:
    for content in (gzip.compress(b"{}"), b"{}"):
        answer = await http.post("/v1/jobs", content=content, headers={**JSON, header: value})
        assert f"{coding}'" in assert_problem(answer, 415, "unsupported_media_type")["detail"]
        assert answer.headers["accept-encoding"] == "identity"
    assert (await http.get("/v1/jobs")).json()["data"] == []


@pytest.mark.anyio
async def test_a_body_that_is_coded_in_no_way_is_taken(http: httpx.AsyncClient) -> None:
    for headers in ({"Content-Encoding": "identity"}, {"Content-Encoding": ""}, {"Transfer-Encoding": "chunked"}):
        assert (await http.post("/v1/jobs", content=b"{}", headers={**JSON, **headers})).status_code == 202


@pytest.mark.anyio
async def test_a_part_of_a_body_is_not_taken_for_the_whole(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/jobs", content=b"{}", headers={**JSON, "Content-Range": "bytes 0-1/9"})
    assert "Content-Range" in assert_problem(answer, 400, "bad_request")["detail"]


@pytest.mark.anyio
async def test_a_byte_order_mark_is_no_part_of_the_body(http: httpx.AsyncClient) -> None:
    for content, epochs in ((b'\xef\xbb\xbf{"epochs":3}', 3), (b"\xef\xbb\xbf", 10)):
        answer = await http.post("/v1/jobs", content=content, headers=JSON)
        assert answer.status_code == 202
        assert answer.json()["spec"]["epochs"] == epochs


@pytest.mark.anyio
async def test_a_long_body_is_parsed_beside_the_event_loop(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse, threads = body.parse_object, list[threading.Thread]()

    def noting(content: bytes) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return parse(content)

    monkeypatch.setattr(body, "parse_object", noting)
    for spaces, status in ((0, 202), (body.MOST_ON_LOOP_BYTES, 202), (body.MOST_ON_LOOP_BYTES, 400)):
        content = b"{" + b" " * spaces + (b"}" if status == 202 else b"")
        assert (await http.post("/v1/jobs", content=content, headers=JSON)).status_code == status
    assert [thread is threading.main_thread() for thread in threads] == [True, False, False]


@pytest.mark.anyio
async def test_a_digest_is_of_what_a_body_says_and_not_of_how_it_is_written(http: httpx.AsyncClient) -> None:
    async def posted(content: bytes) -> int:
        answer = await http.post("/v1/jobs", content=content, headers={**JSON, "Idempotency-Key": "k"})
        return answer.status_code

    assert await posted(b'{"epochs":1,"metadata":{"a":"\xc3\xa4","b":"2"}}') == 202
    assert await posted(b'\xef\xbb\xbf{ "metadata": {"b":"2", "a":"\\u00e4"},\n"epochs": 1 }') == 202
    assert await posted(b'{"epochs":1,"metadata":{"a":"\xc3\xa4","b":"3"}}') == 422


@pytest.mark.anyio
async def test_a_declared_length_over_the_limit_is_refused_unread(http: httpx.AsyncClient) -> None:
    async def unwanted() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    headers = {**JSON, "Content-Length": str(10 << 20)}
    answer = await http.post("/v1/jobs", content=unwanted(), headers=headers)
    assert_problem(answer, 413, "body_too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.anyio
async def test_a_body_without_length_is_read_no_further_than_the_limit(
    http: httpx.AsyncClient, settings: Settings
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 16
            yield b" " * (1 << 16)

    answer = await http.post("/v1/jobs", content=endless(), headers=JSON)
    assert_problem(answer, 413, "body_too_large")
    assert sent <= settings.max_body_bytes + (2 << 16)


def read(content: bytes) -> dict[str, Any] | int:
    """The object, or the status of the refusal."""
    try:
        return parse_object(content)
    except Refused as refused:
        return refused.kind.status


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
@examples(max_examples=100, deadline=None)
def test_whatever_json_it_is_it_is_taken_or_refused(value: dict[str, Any]) -> None:
    assert read(json.dumps(value).encode()) in (value, 400)


@given(st.binary(max_size=50))
@examples(max_examples=100, deadline=None)
def test_whatever_bytes_they_are_they_are_an_object_or_refused(content: bytes) -> None:
    found = read(content)
    assert isinstance(found, dict) or found in (400, 422)
