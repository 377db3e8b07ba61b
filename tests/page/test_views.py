"""Every view in light and dark, on a desk and on a phone: nothing that shuts people out, nothing that overflows."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.browser import Page
from tests.e2e.conftest import Stack
from tests.page.conftest import Visit, address

AXE = (Path(__file__).parent / "axe.min.js").read_text()
IRIS = Path(__file__).parents[2] / "docs" / "iris.csv"
SERIOUS = """axe.run(document, {resultTypes: ["violations"], iframes: false}).then((found) => found.violations
  .filter((it) => ["serious", "critical"].includes(it.impact))
  .map((it) => [it.id, it.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]))"""


@pytest.fixture(scope="session")
def places(site: Stack, digits: str) -> dict[str, str]:
    """Where each view is, and what is on it once it is there."""
    site.http.put("/v1/datasets/iris", content=IRIS.read_bytes())
    other = site.wait(site.submit(epochs=2, metadata={"a long label": "of many words " * 10}))["id"]
    job = f"#/jobs/{digits}"
    return {
        "#/jobs": ".job",
        job: ".chart .main-svg",
        f"{job}/try": ".pad",
        f"{job}/spec": "pre",
        f"{job}/log": ".log li",
        f"{job}/attempts": ".facts",
        f"{job}/files": "td",
        f"{job}/card": "iframe",
        f"#/compare/{digits},{other}": ".differs",
        "#/new": ".fine",
        "#/new?dataset=iris": ".choices",
        "#/datasets": ".tile",
        "#/datasets/iris": ".facts",
        "#/datasets/mnist": ".facts",
        "#/try": ".pad",
        "#/workers": ".device",
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_shuts_anybody_out(visit: Visit, site: Stack, places: dict[str, str], scheme: str) -> None:
    with visit(scheme=scheme) as page:
        page.shows("h1")
        for place, sign in places.items():
            page.resize(1280)
            page.go(f"{address(site)}/{place}")
            page.shows(sign)
            page.evaluate(f"{AXE}; 0")
            for width in (1280, 390):
                page.resize(width)
                assert page.evaluate(SERIOUS) == [], (place, width)
                assert not overflows(page), (place, width)
            assert len(page.evaluate("[...document.querySelectorAll('h1')].map((it) => it.textContent)")) == 1, place
            assert page.complaints() == [], place


def overflows(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


def is_dark(page: Page) -> bool:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return int(colour.removeprefix("rgb(").split(",")[0]) < 100


def test_the_colours_are_the_systems_or_the_readers(visit: Visit) -> None:
    with visit(scheme="dark") as page:
        page.shows("#tools button")
        assert is_dark(page)
        page.click("#tools button")
        page.shows("#tools button", "light")
        assert not is_dark(page)
        page.evaluate("location.reload()")
        page.shows("#tools button", "light")
        assert not is_dark(page)


def test_an_empty_service_invites_and_one_click_trains(visit: Visit, make_stack: Any) -> None:
    stack: Stack = make_stack()
    stack.start_api()
    with visit(stack=stack) as page:
        page.shows(".empty", "No jobs yet")
        page.click(".empty button.primary")
        page.shows(".job-head .chip", "queued")
        page.shows(".state", "next in line")
        page.evaluate("location.hash = '#/workers'")
        page.shows(".empty", "No worker is live")
    assert stack.http.get("/v1/jobs").json()["data"][0]["spec"]["preset"] == "mnist-99"


def test_the_first_view_is_small_and_comes_from_here_alone(visit: Visit, site: Stack) -> None:
    with visit() as page:
        page.shows("h1", "Jobs")
        loaded = page.evaluate("performance.getEntriesByType('resource').map((it) => [it.name, it.transferSize])")
        assert all(name.startswith(f"{address(site)}/") for name, _ in loaded)
        files = [size for name, size in loaded if "/page/" in name]
        assert len(files) >= 10
        assert sum(files) < 60_000
        assert not any("plotly" in name for name, _ in loaded)
        assert again(page) == 0


def again(page: Page) -> int:
    """How many bytes of the page's files a second visit loads."""
    page.evaluate("location.reload()")
    page.shows("h1", "Jobs")
    loaded = page.evaluate("performance.getEntriesByType('resource').map((it) => [it.name, it.transferSize])")
    return sum(size for name, size in loaded if "/page/" in name)


STREAM = (
    ': hello\n\nretry: 2000\n\nid: 1-1\nevent: status\ndata: {"a":1}\n\n'
    "event: progress\r\ndata:x\r\ndata: ü\r\n\r\nid: 1-2\nevent: done\ndata: {}\n\nevent: half"
)
READ = """(async (whole) => {
  const { EventReader } = await import(`./${document.querySelector("meta[name=gradientd-files]").content}/stream.js`);
  const read = (reader, parts) => JSON.stringify(parts.flatMap((part) => [...reader.read(part)]));
  const cuts = [...Array(whole.length).keys()].map((n) => [whole.slice(0, n), whole.slice(n)]);
  return [...new Set(cuts.map((parts) => read(new EventReader(), parts)))];
})"""


def test_events_are_read_wherever_a_stream_is_cut(visit: Visit) -> None:
    with visit("#/workers") as page:
        page.shows("h1", "Workers")
        (found,) = page.evaluate(f"{READ}({json.dumps(STREAM)})")
    assert json.loads(found) == [
        {"id": "1-1", "type": "status", "data": '{"a":1}'},
        {"id": "", "type": "progress", "data": "x\nü"},
        {"id": "1-2", "type": "done", "data": "{}"},
    ]


@pytest.mark.parametrize(
    ("place", "heading"),
    [
        ("#/jobs/%", "There is no such thing here"),
        ("#/jobs/%E0%A4%A", "There is no such thing here"),
        ("#/toString", "Jobs"),
        ("#/__proto__", "Jobs"),
        ("#/compare", "Nothing to compare yet"),
    ],
)
def test_an_address_that_means_nothing_is_answered(visit: Visit, place: str, heading: str) -> None:
    with visit(place) as page:
        page.shows("h1", heading)
        page.forget()  # 404


INSIDE = "[...document.querySelectorAll('.panel *')].every((it) => it.getBoundingClientRect().right <= innerWidth)"


def test_long_names_have_room(visit: Visit, site: Stack) -> None:
    rows = "".join(f"{n},{n % 7},{'yes' if n % 2 else 'x' * 150}\n" for n in range(200))
    site.http.put("/v1/datasets/long-names", content=f"{'a' * 200},b,c\n{rows}".encode()).raise_for_status()
    job_id = site.wait(site.submit(dataset="long-names", epochs=1))["id"]
    with visit(f"#/try/{job_id}") as page:
        page.shows(".answer .soft", "sure")
        for width in (1280, 390):
            page.resize(width)
            assert not overflows(page), width
            assert page.evaluate(INSIDE), width
