"""Curves are drawn within the terminal, told apart with colours and without."""

import io

import pytest
from rich.console import Console

from gradientd.cli.curves import Curve, Panel
from gradientd.cli.terminal_plot import in_few_digits, limits, plot_lines, ticks


def curve(*values: float, job: int = 0, is_validation: bool = False, label: str = "train") -> Curve:
    """A curve from the first epoch on."""
    return Curve(job, label, is_validation, tuple(range(1, len(values) + 1)), values)


FALLING = Panel("loss", (curve(1.0, 0.5, 0.25, 0.1), curve(0.9, 0.6, 0.5, 0.4, is_validation=True, label="validation")))


def screen(*, width: int = 80, height: int = 24, **more: object) -> Console:
    """A terminal."""
    return Console(
        file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"),
        width=width,
        height=height,
        highlight=False,
        **{"force_terminal": True, "color_system": "256", **more},  # type: ignore[arg-type]
    )


def written(console: Console, *panels: Panel, log: bool = False, fill: bool = False) -> str:
    """What is printed."""
    with console.capture() as captured:
        for line in plot_lines(console, panels, log=log, fill=fill):
            console.print(line, soft_wrap=True)
    return captured.get()


@pytest.mark.parametrize("width", [40, 80, 132, 300])
@pytest.mark.parametrize("height", [10, 24, 60])
def test_a_plot_is_no_larger_than_the_terminal(width: int, height: int) -> None:
    console = screen(width=width, height=height, color_system=None)
    lines = written(console, FALLING).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < height
    assert len(written(console, FALLING, fill=True).splitlines()) == height - 1


def test_several_panels_share_the_terminal() -> None:
    lines = written(screen(height=41, color_system=None), FALLING, Panel("accuracy", FALLING.curves), fill=True)
    assert len(lines.splitlines()) == 40


def test_letters_tell_curves_apart_where_there_are_no_colours() -> None:
    two = Panel("loss", (*FALLING.curves, curve(0.3, 0.3, job=1, label="B train")))
    for console in (
        screen(color_system=None),
        screen(no_color=True),
        screen(force_terminal=False),
    ):
        text = written(console, two)
        assert "   A train   a validation   B B train\n" in text
        assert all(sum(letter in line for line in text.splitlines()[1:]) > 1 for letter in "Aa")
        assert "\x1b[3" not in text


def test_colours_tell_them_apart_on_a_terminal() -> None:
    text = written(screen(), FALLING)
    assert "\x1b[38;5;117m▚ train" in text
    assert "\x1b[38;5;27m▚ validation" in text
    assert text.count("\x1b[38;5;117m") > 4
    assert text.count("\x1b[38;5;27m") > 4


def test_a_terminal_without_lines_has_signs() -> None:
    console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=80, force_terminal=True)
    assert "".join(line.plain for line in plot_lines(console, [FALLING])).isascii()


def test_the_curve_goes_from_the_first_epoch_to_the_last() -> None:
    lines = written(screen(color_system=None), Panel("loss", (curve(1.0, 0.5, 0.0),))).splitlines()[1:]
    rows = [at for at, line in enumerate(lines) if "A" in line]
    assert (rows[0], rows[-1]) == (0, len(lines) - 3)
    assert lines[0].startswith("  1┤A")
    assert lines[-3].startswith("  0┤")
    assert lines[-3].endswith("A")
    assert lines[-1].split() == ["1", "2", "3"]


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("values", [(0.2,), (0.2, 0.2, 0.2), (1e-12, 1.0), (1e300, 1e299)])
def test_odd_curves_can_be_drawn(values: tuple[float, ...], log: bool) -> None:
    assert "A" in written(screen(color_system=None), Panel("loss", (curve(*values),)), log=log).partition("\n")[2]


@pytest.mark.parametrize("values", [(0.0,), (0.0, 0.0), (-1.0, -1.0), (-3.0, 2.0)])
def test_values_below_zero_can_be_drawn(values: tuple[float, ...]) -> None:
    assert "A" in written(screen(color_system=None), Panel("r2", (curve(*values),))).partition("\n")[2]


def test_a_logarithmic_axis_gives_each_factor_the_same_room() -> None:
    lines = written(screen(color_system=None), Panel("loss", (curve(1.0, 0.1, 0.01),)), log=True).splitlines()[1:]
    rows = [at for at, line in enumerate(lines) if "A" in line]
    places = {at: lines[at].index("A") for at in rows}
    assert abs(places[rows[len(rows) // 2]] - 42) <= 6  # a straight line
    assert lines[0].split("┤")[0].strip() == "1"
    assert lines[-3].split("┤")[0].strip() == "0.01"


def test_what_is_named_beside_the_axes() -> None:
    assert ticks([1]) == [1]
    assert ticks([1, 2, 3]) == [1, 2, 3]
    assert ticks(range(1, 101)) == [1, 21, 41, 60, 80, 100]
    assert in_few_digits([0.5, 0.25]) == ["0.5", "0.25"]
    assert in_few_digits([0.96121, 0.96122]) == ["0.96121", "0.96122"]
    assert limits([0.2, 0.2], log=False) == (0.1, pytest.approx(0.3))
