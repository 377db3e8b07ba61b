"""Tables fit the terminal by leaving columns out; ids and names stay whole."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from gradientd.cli.layout import Table, print_table


def jobs_table() -> Table:
    """A table of two jobs."""
    table = Table("id", "status", "labels", left_out=("labels", "status"))
    table.add_row("job_1", Text("succeeded", "green"), "team=vision")
    table.add_row("job_22", "queued", "")
    return table


def shown(table: Table, width: int | None) -> list[str]:
    """The lines as text."""
    return [line.plain for line in table.lines(width)]


def test_a_table_that_fits_is_shown_in_full() -> None:
    assert shown(jobs_table(), None) == [
        "id      status     labels",
        "job_1   succeeded  team=vision",
        "job_22  queued",
    ]
    assert shown(jobs_table(), 30) == shown(jobs_table(), None)


@pytest.mark.parametrize(("width", "heading"), [(29, "id      status"), (16, "id"), (3, "id")])
def test_columns_are_left_out_in_their_order_and_the_last_is_never_cut(width: int, heading: str) -> None:
    lines = shown(jobs_table(), width)
    assert lines[0] == heading
    assert [line.split()[0] for line in lines[1:]] == ["job_1", "job_22"]


def test_sentences_are_wrapped_beside_their_name() -> None:
    table = Table("name", "description", wrapped="description")
    table.add_row("textbook", "The loop of every textbook, with plain gradient descent.")
    assert shown(table, 40) == [
        "name      description",
        "textbook  The loop of every textbook,",
        "          with plain gradient descent.",
    ]
    assert shown(table, None)[1] == "textbook  The loop of every textbook, with plain gradient descent."


def test_wide_characters_count_as_what_they_take() -> None:
    table = Table("name", "status")
    table.add_row("数字", "idle")
    table.add_row("abcd", "busy")
    assert shown(table, None)[1:] == ["数字  idle", "abcd  busy"]


@pytest.mark.parametrize(("is_terminal", "heading"), [(True, "id"), (False, "id      status     labels")])
def test_only_a_terminal_is_narrow(is_terminal: bool, heading: str) -> None:
    out = io.StringIO()
    print_table(Console(file=out, width=10, force_terminal=is_terminal, color_system=None), jobs_table())
    assert out.getvalue().splitlines()[0] == heading


def test_an_empty_table_is_its_heading() -> None:
    assert shown(Table("id", "status", left_out=("status",)), 80) == ["id  status"]


def test_a_strangers_text_neither_breaks_a_row_nor_commands_the_terminal() -> None:
    table = Table("id", "labels")
    table.add_row("job_1", "note=a\nb\x1b[2J")
    assert shown(table, None)[1] == "job_1  note=a\\nb\\x1b[2J"
