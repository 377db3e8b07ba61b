"""What a prompt and a notebook show: short, escaped, and in the notebook's own colours."""

import json
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from gradientd.client import Dataset, Job
from gradientd.client.compatibility import read
from jobs import wire
from jobs.datasets import CATALOGUE
from jobs.record import Progress
from jobs.states import Status
from tests.gradientd.client.conftest import ClientOf
from tests.gradientd.client.test_frames import series
from tests.gradientd.samples import CREATED_AT, JOB_ID, dump, failed_job, sample_job, succeeded_job

HOSTILE = "<script>alert(1)</script>\x1b[31m"


class Page(HTMLParser):
    """The texts and the elements of some HTML, which must be closed as they were opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.open.append(tag)
        style = dict(attrs).get("style") or ""
        # Text and background are the notebook's, light or dark; only the dot and the bar have colours.
        assert tag == "span" or "background:none" in style or "background" not in style
        assert "color:inherit" in style or ("color" not in style.replace("background", ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def shown(value: Any) -> Page:
    """What a notebook shows."""
    return Page(value._repr_html_())


def job(of: Any) -> Job:
    return read(json.dumps(dump(of)), Job)


def test_a_job_in_a_line() -> None:
    assert repr(job(sample_job())) == f"<{JOB_ID}, queued, mlp on mnist-10k>"
    assert str(job(succeeded_job())) == f"<{JOB_ID}, succeeded, mlp on mnist-10k, epoch 3/3, test_accuracy 0.9612>"


def test_a_job_in_a_notebook() -> None:
    running = job(sample_job(Status.RUNNING, progress=Progress(epochs=3, steps=213, epoch=2, percent=47.4)))
    assert "47 %, epoch 2 of 3" in shown(running).text
    queued = job(sample_job(queue_position=2, estimated_start_at=CREATED_AT + timedelta(minutes=3)))
    assert "2 before it" in shown(queued).text
    assert "about 12:03:00 UTC" in shown(queued).text
    done = shown(job(succeeded_job())).text
    assert "progress" not in done
    assert "0.9612" in done
    assert "Loss is not finite: the loss became nan at step 7" in shown(job(failed_job())).text


def test_what_others_wrote_is_escaped(client_of: ClientOf) -> None:
    mean = job(sample_job(metadata={"note": HOSTILE}, spec=sample_job().spec.model_copy(update={"dataset": HOSTILE})))
    page = shown(mean)
    assert "script" not in page.names
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in repr(mean)
    dataset = Dataset.model_validate(dump(wire.Dataset.of(CATALOGUE["mnist"])) | {"classes": [HOSTILE] * 2})
    assert "script" not in shown(dataset).names
    with client_of(lambda _: httpx.Response(200, json=dump([mean]))) as client:
        listed: Any = client.list()
        assert "script" not in shown(listed).names


def test_a_dataset() -> None:
    dataset = Dataset.model_validate(dump(wire.Dataset.of(CATALOGUE["mnist"])))
    assert repr(dataset) == "<mnist, images, classification, 60,000 to train + 10,000 to test>"
    assert "28 × 28 × 1, uint8" in shown(dataset).text


def test_a_series() -> None:
    assert repr(series()) == f"<{JOB_ID}, 3 of 3 epochs: loss, accuracy, val_loss, val_accuracy>"
    assert "rmse" not in shown(series()).text
    long = shown(series(epochs=500)).text
    assert "500 of 500 epochs, the last 50" in long
    assert long.count("\n") < 50


def test_a_list(client_of: ClientOf) -> None:
    page = dump([sample_job(), succeeded_job(), failed_job(), sample_job(), sample_job()]) | {"has_more": True}
    with client_of(lambda _: httpx.Response(200, json=page)) as client:
        listed: Any = client.list()
    assert repr(listed).startswith("<5 entries, more behind: <job_")
    assert repr(listed).endswith(", …>")
    found = shown(listed)
    assert {"table", "th", "td"} <= found.names
    assert found.text.count(JOB_ID) == 5
    for path, entries in (("datasets", [wire.Dataset.of(CATALOGUE["mnist"])]), ("checkpoints", [])):
        with client_of(lambda _, entries=entries: httpx.Response(200, json=dump(entries))) as client:
            others: Any = client.datasets() if path == "datasets" else client.checkpoints(JOB_ID)
        assert shown(others).text


@pytest.mark.parametrize("count", [0, 1, 60])
def test_a_long_list_is_cut(client_of: ClientOf, count: int) -> None:
    with client_of(lambda _: httpx.Response(200, json=dump([sample_job()] * count))) as client:
        listed: Any = client.list(limit=100)
    assert shown(listed).text.count(JOB_ID) == min(count, 50)
    assert ("10 of them not shown" in shown(listed).text) == (count == 60)
