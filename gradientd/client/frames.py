"""A job's epochs as NumPy arrays, as a pandas frame, and as plotly's learning curves; each imported when asked for."""

import importlib
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from gradientd.client.errors import ExtraMissing
from jobs import wire

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs] (it has none)
    from plotly.graph_objects import Figure  # pyright: ignore[reportMissingTypeStubs] (it has none)

    FloatArray = NDArray[np.float64]

CURVES = ("loss", "accuracy")
"""What is drawn unless told otherwise: of numbers to be told `rmse` stands for `accuracy`."""
INSTEAD = {"accuracy": "rmse"}
COLOURS = ("#3366cc", "#dc3912", "#109618", "#ff9900", "#990099", "#0099c6", "#dd4477", "#66aa00")
"""One for each job, told apart on white and on black."""
VALIDATION = "val_"
FEW_EPOCHS = 10
HEIGHT_PIXELS = 320
"""Of the curves of one metric."""


def arrays(series: wire.Series) -> "dict[str, FloatArray]":
    """See `Series.arrays`."""
    numpy = imported("numpy", what="arrays()")
    columns: dict[str, Sequence[float | None]] = {"epoch": series.epochs, "step": series.steps, **measured(series)}
    return {name: numpy.array(values, dtype=numpy.float64) for name, values in columns.items()}


def dataframe(series: wire.Series) -> "DataFrame":
    """See `Series.dataframe`."""
    pandas = imported("pandas", what="dataframe()")
    index = pandas.Index(series.epochs, name="epoch", dtype="int64")
    columns = {"step": pandas.Series(series.steps, index=index, dtype="int64")}
    for name, values in measured(series).items():
        columns[name] = pandas.Series(values, index=index, dtype="float64")
    return pandas.DataFrame(columns, index=index)


def measured(series: wire.Series) -> dict[str, tuple[float | None, ...]]:
    """Those metrics of which there is any value, in their order: not those of another task, or of a GPU."""
    found = {name: series.series.get(name, ()) for name in series.names}
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def learning_curves(
    labelled: Sequence[tuple[str, wire.Series]], *, metrics: Sequence[str] = CURVES, log_y: bool = False
) -> "Figure":
    """The metrics of several jobs over their epochs, one below the other: each job in a colour of its own, training
    solid, validation dashed. Labels are shown as they are: plotly would take some HTML in them.

    Raises:
        ExtraMissing: plotly is not there.
        ValueError: no job measured any of the metrics.
    """
    objects = imported("plotly.graph_objects", what="plot()")
    subplots = imported("plotly.subplots", what="plot()")
    curves = [(label, series.epochs, measured(series)) for label, series in labelled]
    there = list(dict.fromkeys(name for _, _, columns in curves for name in columns))
    wanted = (metric if metric in there else INSTEAD.get(metric, metric) for metric in metrics)
    drawn = [metric for metric in dict.fromkeys(wanted) if metric in there]
    if not drawn:
        raise ValueError(f"none of {', '.join(metrics)} is measured; there are {', '.join(there) or 'no epochs yet'}")
    figure = subplots.make_subplots(rows=len(drawn), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    seen: set[str] = set()
    for number, (label, epochs, columns) in enumerate(curves):
        for row, metric in enumerate(drawn, start=1):
            for name in (metric, VALIDATION + metric):
                if name not in columns:
                    continue
                is_validation = name.startswith(VALIDATION)
                trace = objects.Scatter(
                    x=epochs,
                    y=columns[name],
                    name=escape(label),
                    legendgroup=label,
                    showlegend=label not in seen,
                    mode="lines" if len(epochs) > 1 else "markers",
                    line={"color": COLOURS[number % len(COLOURS)], "dash": "dash" if is_validation else "solid"},
                    hovertemplate=f"{escape(name)} %{{y:.5g}}, epoch %{{x}}",
                )
                seen.add(label)
                figure.add_trace(trace, row=row, col=1)
    for row, metric in enumerate(drawn, start=1):
        figure.update_yaxes(title_text=escape(metric), type="log" if log_y else "linear", row=row, col=1)
    figure.update_xaxes(title_text="epoch", row=len(drawn), col=1)
    if max((epoch for _, epochs, _ in curves for epoch in epochs), default=0) <= FEW_EPOCHS:
        figure.update_xaxes(dtick=1)  # there is no epoch 1.5
    figure.update_layout(height=HEIGHT_PIXELS * len(drawn), hovermode="x", legend={"title": "dashed: validation"})
    return figure


def imported(module: str, *, what: str) -> Any:
    """A module that the client does without elsewhere. Raises ExtraMissing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ExtraMissing(what, package={"numpy": "NumPy"}.get(package, package)) from error
