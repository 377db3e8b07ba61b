"""Curves as an interactive page, which needs no network."""

import html
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from gradientd.cli.curves import LETTERS, Panel

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
"""Of the jobs; after the last comes the first."""
PANEL_PIXELS = 360
FEW_POINTS = 60
"""Epochs of which each is marked on its curve."""
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font-family: sans-serif; margin: 1rem; }} ul {{ padding-left: 1.2rem; }}</style></head>
<body>
<h1>{title}</h1>
<ul>{jobs}</ul>
{plot}
</body>
</html>
"""


def plot_page(panels: Sequence[Panel], jobs: Sequence[str], *, log: bool = False) -> str:
    """The panels, one below the other on a common axis of epochs; `jobs` is what to say of each, beside its letter.

    All text is escaped: Plotly takes some HTML in its labels.
    """
    names = jobs if len(jobs) == 1 else [f"{LETTERS[at]}  {told}" for at, told in enumerate(jobs)]
    figure = figure_of(panels, log=log)
    return PAGE.format(
        title="Learning curves",
        jobs="".join(f"<li>{html.escape(name)}</li>" for name in names),
        plot=figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False}),
    )


def figure_of(panels: Sequence[Panel], *, log: bool) -> Any:
    """The same as Plotly's figure. Needs the extra `notebook`."""
    subplots: Any = import_module("plotly.subplots")
    objects: Any = import_module("plotly.graph_objects")
    figure = subplots.make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.3 / len(panels) / 2,
        subplot_titles=[html.escape(panel.metric) for panel in panels],
    )
    for row, panel in enumerate(panels, 1):
        for curve in panel.curves:
            line = {"color": COLOURS[curve.job % len(COLOURS)], "dash": "dash" if curve.is_validation else "solid"}
            trace = objects.Scatter(
                x=curve.epochs,
                y=curve.values,
                mode="lines+markers" if len(curve.epochs) <= FEW_POINTS else "lines",
                name=html.escape(curve.label),
                legend=f"legend{row if row > 1 else ''}",
                line=line,
            )
            figure.add_trace(trace, row=row, col=1)
        axis = figure.layout["yaxis" if row == 1 else f"yaxis{row}"]
        figure.update_layout({f"legend{row if row > 1 else ''}": {"y": axis.domain[1], "yanchor": "top"}})
    figure.update_xaxes(title_text="epoch", row=len(panels), col=1)
    figure.update_layout(height=PANEL_PIXELS * len(panels) + 80, hovermode="x unified", template="plotly_white")
    if log:
        figure.update_yaxes(type="log")
    return figure
