"""Curves drawn with characters, in as many lines and columns as a terminal has."""

import math
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import cycle, islice
from typing import Any

from rich.console import Console
from rich.text import Text

from gradientd.cli.curves import LETTERS, Curve, Panel
from jobs.escapes import escaped

COLOURS = ((117, 27), (215, 202), (120, 28), (213, 126), (159, 30), (229, 136))
"""Of each job's curves on training and on validation examples, among the terminal's 256; after the last the first."""
QUADRANTS = "hd"
"""How plotext calls the marker that has two points to a column and two to a line."""
LEAST_LINES, USUAL_LINES = 8, 18
"""Lines of a panel, its legend included."""
WIDEST = 160
TICKS = 6
LEAST_DIGITS, MOST_DIGITS = 3, 9
AS_ASCII = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|++++" + "+")


def plot_lines(
    console: Console, panels: Sequence[Panel], *, log: bool = False, fill: bool = False, besides: int = 0
) -> list[Text]:
    """The panels, one below the other: with `fill` as high as the terminal is beside so many lines, without it no
    higher than usual."""
    lines = max(LEAST_LINES, (console.height - besides - 1) // max(1, len(panels)))
    height = lines if fill else min(lines, USUAL_LINES) if console.is_terminal else USUAL_LINES
    return [line for panel in panels for line in panel_lines(console, panel, height=height, log=log)]


def panel_lines(console: Console, panel: Panel, *, height: int, log: bool) -> Iterator[Text]:
    """A panel: its legend, then the plot. Where there are no colours, letters tell the curves apart."""
    ascii_only = console.options.ascii_only
    in_colour = console.is_terminal and not console.no_color and console.color_system is not None and not ascii_only
    markers = list(map(marker_of, panel.curves)) if not in_colour else [QUADRANTS] * len(panel.curves)
    legend = Text.assemble((escaped(panel.metric), "bold"))
    for curve, marker in zip(panel.curves, markers, strict=True):
        sign = "▚" if in_colour else marker
        told = sign if sign == curve.label else f"{sign} {curve.label}"
        legend.append("   ").append(escaped(told), f"color({colour_of(curve)})" if in_colour else "")
    yield legend
    drawn = drawing(panel, markers, in_colour=in_colour, width=min(console.width, WIDEST), height=height - 1, log=log)
    for line in drawn.splitlines():
        text = Text.from_ansi(line.translate(AS_ASCII) if ascii_only else line)
        text.rstrip()
        yield text


def drawing(panel: Panel, markers: Sequence[str], *, in_colour: bool, width: int, height: int, log: bool) -> str:
    """The plot as plotext draws it, with the codes of its colours."""
    plotext: Any = import_module("plotext")  # takes a tenth of a second, and has no types
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    figure.legend(False)
    figure.axes(False, axis="both", side=[1])
    for curve, marker in zip(panel.curves, markers, strict=True):
        signal = figure.signal(
            list(curve.epochs),
            [math.log10(value) if log else value for value in curve.values],
            marker=plotext.marker(marker, colour_of(curve)) if in_colour else marker,
        )
        signal.lines()
        figure.draw(signal)
    at = ticks([epoch for curve in panel.curves for epoch in curve.epochs])
    figure.ruler("x").ticks(at, list(map(str, at)))
    lowest, highest = limits([value for curve in panel.curves for value in curve.values], log=log)
    figure.ruler("y").lim(lowest, highest)
    heights = [lowest + at * (highest - lowest) / (TICKS - 1) for at in range(TICKS)]
    figure.ruler("y").ticks(heights, in_few_digits([10**at if log else at for at in heights]))
    return figure.build().string()


def ticks(epochs: Sequence[int]) -> list[int]:
    """Some epochs from the first to the last, evenly spaced, to be named below a plot."""
    first, last = min(epochs), max(epochs)
    return sorted({round(first + at * (last - first) / (TICKS - 1)) for at in range(TICKS)})


def in_few_digits(values: Sequence[float]) -> list[str]:
    """Numbers with as many digits as tell them apart, and no fewer than three."""
    for digits in range(LEAST_DIGITS, MOST_DIGITS):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(texts):
            return texts
    return [f"{value:.{MOST_DIGITS}g}" for value in values]


def limits(values: Sequence[float], *, log: bool) -> tuple[float, float]:
    """The lowest and the highest place on the axis, which is the logarithm to base 10 with `log`."""
    lowest, highest = (math.log10(value) if log else value for value in (min(values), max(values)))
    if highest - lowest > 1e-9 * max(abs(lowest), abs(highest)):
        return lowest, highest
    around = abs(lowest) / 2 or 0.5  # a straight line goes through the middle
    return lowest - around, highest + around


def colour_of(curve: Curve) -> int:
    """Its colour among the terminal's 256."""
    (pair,) = islice(cycle(COLOURS), curve.job, curve.job + 1)
    return pair[curve.is_validation]


def marker_of(curve: Curve) -> str:
    """The letter that draws it where there are no colours: `A` what job A has of its training examples, `a` what of
    those for validation."""
    letter = LETTERS[curve.job]
    return letter.lower() if curve.is_validation else letter
