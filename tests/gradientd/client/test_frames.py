"""A job's epochs as arrays, as a frame and as curves; and what is said where a package is missing."""

import sys
from typing import Any

import httpx
import numpy as np
import pytest

from gradientd.client import ExtraMissing, Series
from tests.gradientd.client.conftest import ClientOf
from tests.gradientd.samples import JOB_ID

OTHER_ID = JOB_ID[:-1] + "D"


def series(job_id: str = JOB_ID, *, epochs: int = 3, task: str = "classes") -> Series:
    """Epochs in which the loss halves."""
    measure, other = ("accuracy", "rmse") if task == "classes" else ("rmse", "accuracy")
    columns: dict[str, tuple[float | None, ...]] = {
        "loss": tuple(0.5**n for n in range(epochs)),
        measure: tuple(0.1 * n for n in range(epochs)),
        other: (None,) * epochs,
        "val_loss": tuple(None if n == 1 else 0.6**n for n in range(epochs)),
        f"val_{measure}": tuple(0.2 * n for n in range(epochs)),
    }
    numbers = tuple(range(1, epochs + 1))
    return Series(
        job_id=job_id,
        names=tuple(columns),
        epochs=numbers,
        steps=tuple(71 * n for n in numbers),
        series=columns,
        points=epochs,
    )


def test_columns_are_arrays() -> None:
    arrays = series().arrays()
    assert list(arrays) == ["epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert {array.dtype for array in arrays.values()} == {np.dtype("float64")}
    np.testing.assert_array_equal(arrays["epoch"], [1, 2, 3])
    np.testing.assert_array_equal(arrays["val_loss"], [1, np.nan, 0.36])


def test_columns_are_a_frame() -> None:
    frame: Any = series().dataframe()
    assert list(frame.columns) == ["step", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert (frame.index.name, list(frame.index)) == ("epoch", [1, 2, 3])
    assert list(frame["step"]) == [71, 142, 213]
    assert str(frame["step"].dtype) == "int64"
    assert frame["loss"].idxmin() == 3
    assert frame["val_loss"].isna().tolist() == [False, True, False]


def test_before_the_first_epoch_there_are_no_rows() -> None:
    empty = series(epochs=0)
    assert {len(array) for array in empty.arrays().values()} == {0}
    frame: Any = empty.dataframe()
    assert (len(frame), list(frame.columns)) == (0, ["step"])


def server(*known: Series, asked: list[httpx.URL] | None = None) -> Any:
    by_path = {f"/v1/jobs/{each.job_id}/metrics": each for each in known}

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request.url)
        return httpx.Response(200, json=by_path[request.url.path].model_dump(mode="json"))

    return answer


def test_jobs_are_drawn_each_in_a_colour_of_its_own(client_of: ClientOf) -> None:
    asked: list[httpx.URL] = []
    with client_of(server(series(), series(OTHER_ID, epochs=5), asked=asked)) as client:
        figure: Any = client.plot(JOB_ID, OTHER_ID)
    assert [url.path for url in asked] == [f"/v1/jobs/{JOB_ID}/metrics", f"/v1/jobs/{OTHER_ID}/metrics"]
    traces = figure.data
    assert len(traces) == 8  # two jobs, loss and accuracy, training and validation
    for job_id in (JOB_ID, OTHER_ID):
        of_job = [trace for trace in traces if trace.name == job_id]
        assert len({trace.line.color for trace in of_job}) == 1
        assert [trace.line.dash for trace in of_job] == ["solid", "dash"] * 2
        assert [trace.showlegend for trace in of_job] == [True, False, False, False]
    assert traces[0].line.color != traces[4].line.color
    assert list(traces[0].x) == [1, 2, 3]
    assert list(traces[4].y) == [1, 0.5, 0.25, 0.125, 0.0625]
    assert [figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text] == ["loss", "accuracy"]
    assert figure.layout.yaxis.type == "linear"


def test_a_plot_is_as_it_is_asked_for(client_of: ClientOf) -> None:
    with client_of(server(series(), series(OTHER_ID, task="numbers"))) as client:
        figure: Any = client.plot(JOB_ID, metrics="loss", log_y=True, names=["<b>mine"])
        assert figure.layout.yaxis.type == "log"
        assert [trace.name for trace in figure.data] == ["&lt;b&gt;mine"] * 2
        numbers: Any = client.plot(OTHER_ID)
        assert [numbers.layout.yaxis.title.text, numbers.layout.yaxis2.title.text] == ["loss", "rmse"]
        with pytest.raises(ValueError, match="none of r2 is measured; there are loss, accuracy"):
            client.plot(JOB_ID, metrics=["r2"])
        with pytest.raises(ValueError, match="at least one job"):
            client.plot()
        with pytest.raises(ValueError, match="1 jobs cannot have 2 names"):
            client.plot(JOB_ID, names=["a", "b"])


def test_a_job_without_epochs_has_no_curve(client_of: ClientOf) -> None:
    with client_of(server(series(epochs=0))) as client, pytest.raises(ValueError, match="no epochs yet"):
        client.plot(JOB_ID)


@pytest.mark.parametrize("package", ["numpy", "pandas", "plotly"])
def test_a_package_that_is_missing_is_named(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with client_of(server(series())) as client:
        calls = {"numpy": series().arrays, "pandas": series().dataframe, "plotly": lambda: client.plot(JOB_ID)}
        with pytest.raises(ImportError, match=r"pip install 'gradientd\[notebook\]'") as missing:
            calls[package]()
    assert isinstance(missing.value, ExtraMissing)
    assert package in str(missing.value).lower()
