"""Datasets on the page: dropped, refused with every fault, taken, looked into, trained on and deleted."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import wait_until
from tests.e2e.conftest import Stack
from tests.page.conftest import Visit


def table(into: Path) -> Path:
    """A table with two cells that are no numbers."""
    rows = [f"{n},{n % 7},{'yes' if n % 2 else 'no'}" for n in range(100)]
    rows[16], rows[41] = "sixteen,1,yes", "<img src=x onerror=alert(1)>,0,no"
    into.write_text("\n".join(["age,size,buys", *rows]) + "\n")
    return into


def pictures(into: Path) -> Path:
    """A zip of two folders of pictures."""
    with zipfile.ZipFile(into, "w") as archive:
        for n in range(40):
            file = io.BytesIO()
            Image.new("RGB", (16, 16), (250, 40, 40) if n % 2 else (40, 40, 250)).save(file, "PNG")
            archive.writestr(f"{'red' if n % 2 else 'blue'}/{n}.png", file.getvalue())
    return into


def pressed(label: str) -> str:
    return f"[...document.querySelectorAll('button')].find((it) => it.textContent == '{label}').click()"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_table_with_faults_is_refused_then_taken_without_them(
    visit: Visit, site: Stack, tmp_path: Path, width: int, scheme: str
) -> None:
    name = f"people-{width}"
    with visit("#/datasets", width=width, scheme=scheme) as page:
        page.drop(".drop", table(tmp_path / f"{name}.csv"))
        page.shows("section[aria-label^='Upload'] select", "The last one (buys)")
        page.evaluate(pressed("Upload"))
        page.shows(".problem", "sixteen")
        assert "2 faults" in page.text("#main")
        page.shows("[aria-label='Faults of the upload']", "<img src=x onerror=alert(1)>")
        assert page.evaluate("document.querySelector('[aria-label=\"Faults of the upload\"] img')") is None
        page.forget()  # the refusal
        page.evaluate(
            "(() => { const of = [...document.querySelectorAll('select')].at(-1); of.value = 'skip';"
            " of.dispatchEvent(new Event('change')); })()"
        )
        page.evaluate(pressed("Check only"))
        page.shows(".fine", "It would be taken")
        assert site.http.get(f"/v1/datasets/{name}").status_code == 404
        page.evaluate(pressed("Upload"))
        page.shows(".fine", f"{name}@1 is there")
        page.click(f".tile a[href='#/datasets/{name}']")
        page.shows("h1", name)
        page.shows("[aria-label='The first examples']", "buys")
        page.shows("#main", "left out for faults")
        page.click("a.button.primary")
        page.shows("h1", "New job")
        page.shows(".fine", "The server would take it")
        page.shows(".choices", "model")
        page.evaluate("location.hash = '#/datasets'")
        page.shows(f".tile a[href='#/datasets/{name}']")
    assert site.http.get(f"/v1/datasets/{name}").json()["report"]["skipped"] == 2


def test_pictures_are_looked_at_and_deleted(visit: Visit, site: Stack, tmp_path: Path) -> None:
    with visit("#/datasets") as page:
        page.drop(".drop", pictures(tmp_path / "Colours of Things.zip"))
        page.shows("section[aria-label^='Upload']")
        page.evaluate(pressed("Upload"))
        page.shows("h1", "colours-of-things")
        wait_until(
            lambda: page.evaluate("document.querySelector('img.preview')?.naturalWidth ?? 0") > 100, what="the pictures"
        )
        page.evaluate(pressed("Delete"))
        page.shows("dialog[open]", "Delete colours-of-things?")
        page.press("Escape")
        wait_until(lambda: page.evaluate("document.querySelector('dialog') === null"), what="no question any more")
        assert site.http.get("/v1/datasets/colours-of-things").status_code == 200
        page.evaluate(pressed("Delete"))
        page.click("dialog button[value=yes]")
        page.shows("h1", "Datasets")
    assert site.http.get("/v1/datasets/colours-of-things").status_code == 404
