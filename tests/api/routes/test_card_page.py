"""A model's card as a person meets it: in a real browser, from the service and from a file that was kept."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.evaluation import Evaluation, ShownExample
from jobs.ids import new_job_id
from jobs.record import Metrics
from jobs.report import Report
from jobs.settings import Settings
from jobs.spec import Spec
from store.jobs import Claim, Store
from tests.api.browser import CHROMIUM, Page, browsing
from tests.api.conftest import Do, epoch
from tests.api.evaluations import HOSTILE, of_classes, of_targets, picture
from tests.api.models import CUSTOMERS, succeed
from tests.api.test_main import serving
from tests.conftest import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: Debian's package chromium"),
]

PICTURES = [ShownExample(source=f"cats/{n:04}.png", picture=picture(40 * n)) for n in range(5)]
ROWS = [ShownExample(source=HOSTILE[n], row=dict.fromkeys(HOSTILE, HOSTILE[n])) for n in range(len(HOSTILE))]
OF_CLASSES = ["Curves", "Confusion matrix", "Classes", "Calibration", "Worst mistakes", "Data", "Spec", "Environment"]
OF_TARGETS = ["Curves", "Residuals", "Worst mistakes", "Data", "Spec", "Environment"]

Shown = Callable[..., Any]


@pytest.fixture(params=["served", "kept"])
def shown(
    request: pytest.FixtureRequest,
    settings: Settings,
    store: Store,
    do: Do,
    claim: Callable[[], Claim],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Shown:
    """Show the card of a job that left this evaluation, once it is drawn."""
    monkeypatch.setenv("GRADIENTD_DATA_DIR", str(settings.data_dir))

    @contextmanager
    def shown(evaluation: Evaluation, **spec: Any) -> Iterator[Page]:
        do(store.create(new_job_id(), Spec.model_validate(spec), steps=10))
        taken = claim()
        measured = {"loss": 0.5} if evaluation.classification else {"loss": 0.5, "accuracy": None, "val_accuracy": None}
        errors = {} if evaluation.classification else {"rmse": 2.0, "val_rmse": 2.5, "mae": 1.0, "val_mae": 1.5}
        epochs = tuple(epoch(n, **measured, **errors) for n in range(1, 6))
        do(store.report(taken.job.id, taken.fence, Report(1, epochs=epochs)))
        content = evaluation.model_dump_json().encode()
        known: dict[str, Any] = {"settings": settings, "store": store, "do": do, "metrics": Metrics(test_loss=0.25)}
        job_id = succeed(taken, CUSTOMERS, evaluation=content, **known)
        with serving(settings) as (_, url):
            address = f"{url}/v1/jobs/{job_id}/card"
            if request.param == "kept":
                saved = tmp_path / "card.html"
                saved.write_bytes(httpx.get(address, headers={"accept": "text/html"}).content)
                address = saved.as_uri()
            with browsing(address, tmp_path / "browser") as page:
                drawn(page)
                yield page
                assert page.complaints() == []
                assert page.evaluate("document.querySelectorAll('script').length") == 3
                assert page.evaluate("performance.getEntriesByType('resource').map((it) => it.name)") == []
                assert page.evaluate("self.origin") == "null"

    return shown


def drawn(page: Page) -> None:
    """Return once every plot is there as a picture."""
    plots = "[...document.querySelectorAll('.plot')]"
    wait_until(
        lambda: page.evaluate(f"document.readyState === 'complete' && {plots}.length > 0"), what="the page's plots"
    )
    wait_until(
        lambda: page.evaluate(f"{plots}.every((it) => it.matches('.js-plotly-plot') && it.querySelector('svg g.xy'))"),
        what="every plot to be drawn",
    )


def texts(page: Page, selector: str) -> list[str]:
    """The texts of all elements that the selector names."""
    return page.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((it) => it.textContent)")


def section(page: Page, heading: str, selector: str) -> list[str]:
    """The texts of all such elements below a heading."""
    place = (
        f"[...document.querySelectorAll('section')].find((it) => it.firstChild.textContent === {json.dumps(heading)})"
    )
    return page.evaluate(f"[...{place}.querySelectorAll({json.dumps(selector)})].map((it) => it.textContent)")


def ticks(page: Page) -> list[str]:
    """What stands at the axes of all plots."""
    return texts(page, ".xtick text, .ytick text")


def test_classes_of_pictures(shown: Shown) -> None:
    evaluation = of_classes(("cat", "dog", "cow"), shown=PICTURES)
    assert evaluation.classification
    with shown(evaluation, metadata={"team": "blue"}) as page:
        assert texts(page, "h1") == ["made-up@1: 3 classes"]
        assert page.evaluate("document.title") == "Model card · made-up@1: 3 classes"
        assert texts(page, "h2") == ["Labels", *OF_CLASSES]
        # Two curves, the matrix, two of calibration, and the classes' counts.
        assert page.evaluate("document.querySelectorAll('.js-plotly-plot').length") == 6
        assert section(page, "Classes", "tbody tr > td:first-child") == ["cat", "dog", "cow"]
        assert {"cat", "dog", "cow"} <= set(ticks(page))
        wrong = len(evaluation.classification.worst)
        assert page.evaluate("document.querySelectorAll('img').length") == wrong >= 3
        assert page.evaluate(
            "[...document.querySelectorAll('img')].every((it) => it.complete && it.naturalWidth === 5"
            " && it.naturalHeight === 4)"
        )
        assert section(page, "Worst mistakes", "figcaption .soft")[0] == "cats/0000.png"
        assert "480 × 640 (3)" in " ".join(section(page, "Data", "td"))


def test_all_right_has_no_worst_mistakes(shown: Shown) -> None:
    with shown(of_classes(("cat", "dog"), wrong=False)) as page:
        assert texts(page, "h2") == [heading for heading in OF_CLASSES if heading != "Worst mistakes"]
        assert "All test examples are predicted right." in page.text("main")


def test_a_table_whose_names_are_hostile(shown: Shown) -> None:
    evaluation = of_classes(HOSTILE, shown=ROWS, columns=HOSTILE)
    assert evaluation.classification
    with shown(evaluation, metadata={HOSTILE[0]: HOSTILE[3]}) as page:
        assert texts(page, "h2") == ["Labels", *OF_CLASSES]
        assert page.evaluate("document.querySelectorAll('main img, main a, main b:not(.figure b), svg a').length") == 0
        assert section(page, "Classes", "tbody tr > td:first-child") == list(HOSTILE)
        assert section(page, "Labels", "tbody td") == [HOSTILE[0], HOSTILE[3]]
        heads = section(page, "Worst mistakes", "th")
        # Names that are whole numbers come first in every object of JavaScript's.
        assert (heads[:2], sorted(heads[2:])) == (["predicted", "where"], sorted(HOSTILE))
        row = section(page, "Worst mistakes", "tbody tr:first-child td")
        first = evaluation.classification.worst[0]
        assert first.predicted in row[0]
        assert row[1:] == [HOSTILE[0]] * (1 + len(HOSTILE))
        # Plotly takes some tags for markup: none of a name's.
        brief = [name if len(name) <= 24 else f"{name[:23]}…" for name in HOSTILE if name.strip()]
        assert set(brief) - {"%{x} $\\alpha$ \u2028\u202e"} <= set(ticks(page))
        assert page.evaluate("document.title").startswith("Model card")


def test_a_script_that_gets_in_does_not_run(shown: Shown) -> None:
    with shown(of_classes(("cat", "dog"))) as page:
        page.evaluate(
            """(() => {
              const made = document.createElement("script");
              made.textContent = "window.ran = 1";
              document.body.append(made);
              made.remove();
              const image = document.createElement("img");
              image.setAttribute("onerror", "window.ran = 2");
              image.src = "data:,";
              document.body.append(image);
              return new Promise((done) => image.addEventListener("error", () => { image.remove(); done(); }));
            })()"""
        )
        assert page.evaluate("window.ran === undefined")
        refused = [told for told in page.complaints() if "violates the following Content Security Policy" in told]
        assert len(refused) >= 2  # by each policy: a page from the service has two of them
        page.forget()


def test_several_targets_one_after_the_other(shown: Shown) -> None:
    rows = [ShownExample(row={"age": n, "town": None, "size": 0.5 * n}) for n in range(3)]
    names = ("price", "<b>size</b>", "weight")
    with shown(of_targets(names, shown=rows, columns=("age", "town"))) as page:
        assert texts(page, "h2") == OF_TARGETS
        assert section(page, "Residuals", "tbody tr > td:first-child") == list(names)
        assert section(page, "Residuals", "option") == list(names)
        assert section(page, "Residuals", ".xtitle")[0] == "actual price"
        points = section(page, "Residuals", ".scatterlayer path.point")
        assert len(points) == 2 * 100
        for place, name in ((1, "<b>size</b>"), (2, "weight"), (0, "price")):
            page.evaluate(
                f"(() => {{ const of = document.querySelector('select'); of.value = {place};"
                " of.dispatchEvent(new Event('change')); })()"
            )
            drawn(page)
            assert section(page, "Residuals", ".xtitle")[0] == f"actual {name}"
            assert len(section(page, "Residuals", ".js-plotly-plot")) == 3
        cells = section(page, "Worst mistakes", "tbody tr:first-child td")
        assert "(missing)" in cells
        assert any(cells[0].startswith(f"{name}: ") for name in names)


def test_one_target_needs_no_choice(shown: Shown) -> None:
    with shown(of_targets(("price",), shown=[ShownExample(values=(1.5, -2.0))])) as page:
        assert texts(page, "h2") == OF_TARGETS
        assert page.evaluate("document.querySelector('select')") is None
        assert section(page, "Residuals", "h3") == ["price"]
        assert section(page, "Worst mistakes", "tbody tr:first-child td")[2] == "1.5, -2"


def test_a_hundred_and_fifty_classes(shown: Shown) -> None:
    names = tuple(f"class {n}" for n in range(150))
    with shown(of_classes(names)) as page:
        assert texts(page, "h2") == OF_CLASSES
        assert page.evaluate("document.querySelector('.heatmaplayer')") is None
        assert len(section(page, "Confusion matrix", "tbody tr")) == 50
        assert section(page, "Classes", "tbody tr > td:first-child") == list(names)


def test_a_hundred_classes_have_a_matrix(shown: Shown) -> None:
    with shown(of_classes(tuple(f"class {n}" for n in range(100)))) as page:
        assert page.evaluate("document.querySelectorAll('.heatmaplayer image').length") == 1
