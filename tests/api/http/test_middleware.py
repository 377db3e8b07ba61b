"""What every answer has."""

import httpx
import pytest

from tests.api.conftest import assert_problem

pytestmark = pytest.mark.anyio


async def test_a_sane_request_id_is_kept(http: httpx.AsyncClient) -> None:
    for given in ("a", "7f:3.x_y/z+=@-", "x" * 128):
        assert (await http.get("/healthz", headers={"X-Request-Id": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", "<script>", 'a"b'])
async def test_another_request_id_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    answer = await http.get("/nope", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] != given
    assert_problem(answer, 404, "route_not_found")


async def test_each_request_has_its_own_id(http: httpx.AsyncClient) -> None:
    ids = {(await http.get("/healthz")).headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10


async def test_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/nope", "/v1/jobs"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_head_is_get_without_content(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/v1/jobs", "/docs"):
        got, head = await http.get(path), await http.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
    assert (await http.head("/nope")).status_code == 404
