"""The page has the curves, needs no network, and takes nothing in a name for HTML."""

import json
import re

import pytest

from gradientd.cli.curves import Curve, Panel
from gradientd.cli.plot_page import figure_of, plot_page

HOSTILE = "</script><img src=x onerror=alert(1)>"
PANELS = [
    Panel(
        "loss", (Curve(0, "A train", False, (1, 2), (0.5, 0.25)), Curve(0, "A validation", True, (1, 2), (0.6, 0.5)))
    ),
    Panel("accuracy", (Curve(1, "B train", False, (1, 3), (0.9, 0.95)),)),
]


def test_the_figure_has_each_curve_on_its_axis() -> None:
    figure = json.loads(figure_of(PANELS, log=False).to_json())
    traces = [(trace["name"], trace["yaxis"], trace["line"]["dash"]) for trace in figure["data"]]
    assert traces == [("A train", "y", "solid"), ("A validation", "y", "dash"), ("B train", "y2", "solid")]
    assert figure["data"][2]["x"] == [1, 3]
    assert figure["data"][2]["y"] == [0.9, 0.95]
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["loss", "accuracy"]
    assert "type" not in figure["layout"]["yaxis"]
    assert json.loads(figure_of(PANELS, log=True).to_json())["layout"]["yaxis2"]["type"] == "log"


@pytest.mark.parametrize("count", [1, 2, 6, 16])
def test_any_number_of_panels_has_room(count: int) -> None:
    figure = json.loads(figure_of(PANELS[:1] * count, log=False).to_json())
    assert len(figure["data"]) == 2 * count


def test_the_page_loads_nothing() -> None:
    page = plot_page(PANELS, ["job_1  succeeded", "job_2  running"])
    assert "<li>A  job_1  succeeded</li><li>B  job_2  running</li>" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)\s*=", page)
    assert len(page) > 1_000_000  # the library is in it


def test_names_are_text() -> None:
    panels = [Panel(HOSTILE, (Curve(0, HOSTILE, False, (1, 2), (0.5, 0.25)),))]
    page = plot_page(panels, [HOSTILE])
    assert "onerror" in page
    assert HOSTILE not in page
    assert "<img src=x" not in page
    figure = json.loads(figure_of(panels, log=False).to_json())
    assert "<" not in figure["data"][0]["name"] + figure["layout"]["annotations"][0]["text"]
