"""The live line: nothing of it is cut at 80 columns."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from gradientd.cli.display import LiveDisplay, figures
from gradientd.client.follow import Update
from jobs.record import Job, Progress
from jobs.states import Phase, Status
from tests.gradientd.samples import sample_job


def training_job(epochs: int, **progress: Any) -> Job:
    """A job in the midst of it."""
    known: dict[str, Any] = {
        "epoch": epochs,
        "epochs": epochs,
        "step": 9,
        "steps": 10,
        "percent": 100.0,
        "loss": 0.0209,
        "accuracy": 0.9938,
        "examples_per_second": 142_000.0,
        "estimated_finish_at": datetime.now(UTC) + timedelta(hours=12, minutes=3),
    }
    return sample_job(Status.RUNNING, phase=Phase.CHECKPOINTING, progress=Progress(**known | progress))


@pytest.mark.parametrize("epochs", [3, 99, 10_000])
def test_the_live_line_fits(epochs: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None, force_interactive=True)
    with LiveDisplay(console) as display:
        display.show(Update(job=training_job(epochs)))
    assert "…" not in out.getvalue()
    assert f"epoch {epochs}/{epochs}" in out.getvalue()
    assert "142k ex/s" in out.getvalue()


def test_figures_are_those_that_are_known() -> None:
    assert figures(sample_job()) == "0%  epoch 0/3"
    job = training_job(3, estimated_finish_at=None)
    assert figures(job) == "100%  epoch 3/3  loss 0.0209  acc 0.9938  142k ex/s"
    assert figures(job, brief=True) == "100%  epoch 3/3  loss 0.0209  142k ex/s"
