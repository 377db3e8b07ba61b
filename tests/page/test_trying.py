"""Models asked on the page: by a drawn digit, a picture, and a row."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.conftest import wait_until
from tests.e2e.conftest import Stack
from tests.page.conftest import Visit

IRIS = Path(__file__).parents[2] / "docs" / "iris.csv"


def line(start: tuple[float, float], end: tuple[float, float], points: int = 14) -> list[tuple[float, float]]:
    return [
        (start[0] + (end[0] - start[0]) * n / points, start[1] + (end[1] - start[1]) * n / points)
        for n in range(points + 1)
    ]


SEVEN = line((0.3, 0.22), (0.72, 0.22)) + line((0.72, 0.22), (0.45, 0.82))
ONE = line((0.52, 0.18), (0.48, 0.82))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_drawn_digit_is_read(visit: Visit, digits: str, width: int, scheme: str) -> None:
    with visit(f"#/try/{digits}", width=width, scheme=scheme) as page:
        page.draw(".pad", SEVEN)
        page.shows(".answer b", "7")
        meters = page.evaluate("[...document.querySelectorAll('.probabilities meter')].map((it) => it.value)")
        assert len(meters) == 10
        wait_until(
            lambda: page.evaluate("document.querySelectorAll('.probabilities meter')[7].value") > 0.5, what="a 7"
        )
        page.click(".pad-side .buttons button")
        page.shows(".answer b", "?")
        page.draw(".pad", ONE)
        page.shows(".answer b", "1")


def test_a_digit_is_drawn_by_keyboard(visit: Visit, digits: str) -> None:
    with visit(f"#/jobs/{digits}/try") as page:
        page.shows(".pad")
        page.tab_to(".pad")
        page.press("ArrowUp", times=7)
        page.press("Space")
        page.press("ArrowDown", times=14)
        page.shows(".answer b", "1")
        page.press("Delete")
        page.shows(".answer b", "?")
        for digit in "0123456789":
            page.press(digit)
            page.shows(".answer b", digit)


def test_a_picture_is_read(visit: Visit, digits: str, tmp_path: Path) -> None:
    picture = Image.new("L", (280, 280))
    drawn = ImageDraw.Draw(picture)
    drawn.line([(90, 70), (190, 70), (130, 220)], fill=255, width=24, joint="curve")
    picture.save(tmp_path / "seven.png")
    with visit(f"#/try/{digits}") as page:
        page.drop(".pad-side .drop", tmp_path / "seven.png")
        page.shows(".answer b", "7")
        assert page.evaluate("document.querySelector('img.seen').naturalWidth") == 280
        (tmp_path / "notes.txt").write_text("no picture")
        page.drop(".pad", tmp_path / "notes.txt")
        page.shows(".problem", "notes.txt is no picture")
        assert page.text(".answer b") == "?"


def test_a_row_is_asked_and_its_faults_are_told(visit: Visit, site: Stack) -> None:
    assert site.http.put("/v1/datasets/iris", content=IRIS.read_bytes()).status_code in (200, 201)
    job_id = site.wait(site.submit(dataset="iris"))["id"]
    with visit(f"#/try/{job_id}") as page:
        page.shows(".answer .soft", "sure")
        fields = page.evaluate("[...document.querySelectorAll('.split .fields input')].map((it) => it.id)")
        assert len(fields) == 4
        for field, value in zip(fields, ("5.1", "3.5", "1.4", "0.2"), strict=True):
            page.tab_to(f"#{field}")
            page.type(value)
        page.shows(".answer b", "setosa")
        page.tab_to(f"#{fields[0]}")
        page.type("wide")
        page.shows(".problem", "wide")
        assert page.text(".answer b") == "?"
        page.forget()  # the refusal


HELD = """(() => {
  const sent = fetch;
  window.held = [];
  window.fetch = async (...given) => {
    const answer = await sent(...given);
    if (String(given[0]).endsWith("/predict")) await new Promise((go) => held.push(go));
    return answer;
  };
  window.said = [];
  const watched = document.querySelector(".answer b");
  new MutationObserver(() => said.push(watched.textContent)).observe(watched, { childList: true });
  return () => (window.fetch = sent);
})"""


def test_what_was_cleared_is_not_answered(visit: Visit, digits: str) -> None:
    with visit(f"#/try/{digits}") as page:
        page.shows(".pad")
        page.evaluate(f"(window.freed = {HELD}()) && 0")
        page.click(".digits button[aria-label='Write 7']")
        wait_until(lambda: page.evaluate("held.length") == 1, what="an answer under way")
        page.click(".pad-side .buttons button")
        page.evaluate("freed(); held[0]()")
        page.click(".digits button[aria-label='Write 1']")
        page.shows(".answer b", "1")
        assert "7" not in page.evaluate("said")
