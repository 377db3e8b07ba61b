"""`/` as it is served: whole, from here alone, kept by browsers for as long as it stays the same."""

import gzip
import re

import httpx
import pytest

from api.page import files
from tests.api.conftest import assert_problem

pytestmark = pytest.mark.anyio


async def linked(http: httpx.AsyncClient) -> list[str]:
    """The files that the page names."""
    page = await http.get("/")
    return re.findall(r'(?:src|href|content)="(page/[^"]+/[^"]+)"', page.text)


async def test_the_page_and_what_it_names_are_there(http: httpx.AsyncClient) -> None:
    page = await http.get("/", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "{{" not in page.text
    names = await linked(http)
    assert len(names) >= 12
    for name in names:
        answer = await http.get(f"/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_every_import_leads_to_a_file(http: httpx.AsyncClient) -> None:
    base = next(name for name in await linked(http) if name.endswith("/app.js")).removesuffix("app.js")
    seen, waiting = set[str](), ["app.js"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = await http.get(f"/{base}{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        folder = f"{name.rpartition('/')[0]}/" if "/" in name else ""
        targets = re.findall(r'(?:from|import\()\s*"(\.[^"]+)"', answer.text)
        waiting += [httpx.URL(f"http://x/{folder}").join(target).path[1:] for target in targets]
    assert {"views/jobs.js", "views/job.js", "views/try.js", "charts.js", "pad.js"} <= seen


async def test_no_script_or_style_of_a_stranger_is_let_in(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page.text)
    for answer in (page, await http.get("/" + (await linked(http))[0])):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


async def test_a_card_is_drawn_in_an_origin_of_its_own(http: httpx.AsyncClient) -> None:
    base = (await linked(http))[-1].rpartition("/")[0]
    frame = await http.get(f"/{base}/card-frame.html")
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'; script-src 'self';")
    assert "connect-src" not in policy
    assert (await http.get(f"/{base}/card.js")).status_code == 200
    plotly = re.search(r'content="\.\./([^"]+)"', frame.text)
    assert plotly
    assert (await http.get(f"/page/{plotly[1]}")).status_code == 200


async def test_what_is_known_is_not_sent_again(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = await http.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await http.get("/", headers={"if-none-match": '"another"'})
    assert other.status_code == 200


async def test_it_is_sent_packed_to_those_who_can_unpack_it(http: httpx.AsyncClient) -> None:
    script = next(name for name in await linked(http) if name.endswith("/app.js"))
    for encoding, packed in (("gzip", True), ("br, gzip;q=0.5", True), ("identity", False), ("gzip;q=0, br", False)):
        async with http.stream("GET", f"/{script}", headers={"accept-encoding": encoding}) as answer:
            content = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["vary"] == "Accept-Encoding"
        assert (answer.headers.get("content-encoding") == "gzip") is packed
        assert (gzip.decompress(content) if packed else content).startswith(b"// The page")


@pytest.mark.parametrize("name", ["app.js", "../routes/page.py", "index.html", "nothing.js", "views", ".", "x" * 300])
async def test_nothing_else_is_there(http: httpx.AsyncClient, name: str) -> None:
    assert_problem(await http.get(f"/page/0123456789abcdef/{name}"), 404, "route_not_found")
    digest = (await linked(http))[-1].split("/")[1]
    if name != "app.js":
        assert_problem(await http.get(f"/page/{digest}/{name}"), 404, "route_not_found")


async def test_a_head_tells_the_length(http: httpx.AsyncClient) -> None:
    answer = await http.head("/", headers={"accept-encoding": "identity"})
    assert answer.content == b""
    assert int(answer.headers["content-length"]) == len(files.index().content)
