"""What was measured: values over several rounds, beside a peer's and a target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

Goal = Literal["ratio at least", "at most", "at least"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of one quantity, in order of measurement."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle value."""
        return median(self.values)

    def percentile(self, percent: float) -> float:
        """The smallest value that `percent` of the values do not exceed (nearest rank)."""
        ordered = sorted(self.values)
        return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]

    def scaled(self, factor: float) -> "Spread":
        """In another unit."""
        return Spread(tuple(value * factor for value in self.values))

    def __str__(self) -> str:
        if len(self.values) == 1:
            return number(self.values[0])
        return f"{number(self.median)} [{number(min(self.values))}–{number(max(self.values))}]"


@dataclass(frozen=True, slots=True)
class Target:
    """What was promised: a ratio to the peer, or a bound on our own median."""

    goal: Goal
    value: float

    def __str__(self) -> str:
        sign = "≤" if self.goal == "at most" else "≥"
        return f"{sign} {self.value:g}{'×' if self.goal == 'ratio at least' else ''}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report."""

    name: str
    unit: str
    ours: Spread
    peer: str = ""
    theirs: Spread | None = None
    higher_is_better: bool = False
    target: Target | None = None
    bound: float | None = None
    """What the work's matrix products alone reach here, by NumPy's BLAS, in the figure's unit."""

    @property
    def ratio(self) -> Spread | None:
        """How many times better ours is: of each round where both have one value a round, else of the medians."""
        if self.theirs is None:
            return None
        rounds = (
            zip(self.ours.values, self.theirs.values, strict=True)
            if len(self.ours.values) == len(self.theirs.values)
            else [(self.ours.median, self.theirs.median)]
        )
        return Spread.of([us / them if self.higher_is_better else them / us for us, them in rounds])

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None without one."""
        if self.target is None:
            return None
        if self.target.goal == "ratio at least":
            return self.ratio is not None and self.ratio.median >= self.target.value
        if self.target.goal == "at most":
            return self.ours.median <= self.target.value
        return self.ours.median >= self.target.value

    @property
    def demanded(self) -> float | None:
        """What the target would have asked of us here, in the figure's unit."""
        if self.target is None:
            return None
        if self.target.goal != "ratio at least":
            return self.target.value
        if self.theirs is None:
            return None
        factor = self.target.value if self.higher_is_better else 1 / self.target.value
        return self.theirs.median * factor

    @property
    def out_of_reach(self) -> bool:
        """Whether the target asks for more than the bound."""
        if self.bound is None or self.demanded is None:
            return False
        return self.demanded > self.bound if self.higher_is_better else self.demanded < self.bound

    def to_json(self) -> dict[str, Any]:
        """The figure with every value."""
        return {
            "figure": self.name,
            "unit": self.unit,
            "ours": self.ours.values,
            "ours_median": self.ours.median,
            "peer": self.peer or None,
            "theirs": self.theirs.values if self.theirs else None,
            "theirs_median": self.theirs.median if self.theirs else None,
            "ratio": self.ratio.median if self.ratio else None,
            "target": str(self.target) if self.target else None,
            "met": self.met,
            "demanded": self.demanded,
            "bound": self.bound,
        }


COLUMNS = ("figure", "unit", "ours", "peer", "peer's", "times better", "target", "")


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text."""
    rows = [COLUMNS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    verdict = {True: "ok", False: "MISSED", None: ""}[figure.met]
    ratio = _times(figure.ratio) if figure.ratio else ""
    theirs = str(figure.theirs) if figure.theirs else ""
    target = str(figure.target) if figure.target else ""
    if figure.met is False and figure.out_of_reach and figure.demanded is not None and figure.bound is not None:
        verdict += f": needs {number(figure.demanded)}, its products alone reach {number(figure.bound)}"
    return figure.name, figure.unit, str(figure.ours), figure.peer, theirs, ratio, target, verdict


def _times(ratio: Spread) -> str:
    first, *rest = str(ratio).split(" ")
    return " ".join([f"{first}×", *rest])


def number(value: float) -> str:
    """Three significant digits, thousands grouped."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"
