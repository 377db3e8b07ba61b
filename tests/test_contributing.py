"""CONTRIBUTING's table of changes names files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHANGES = (
    "optimizer",
    "field of the spec",
    "route",
    "event",
    "layer",
    "setting",
    "command",
    "status reason",
    "metric",
    "number in `/metrics`",
    "export format",
    "dataset",
)


def rows() -> dict[str, list[str]]:
    """Files of each change, by its name."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text.partition("## What a change touches")[2].partition("\n## ")[0]
    found = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")][2:]
    return {change.strip(): re.findall(r"`([\w/.-]+\.(?:py|lua|md|yml))`", files) for change, files in found}


def test_each_likely_change_has_its_row() -> None:
    assert len(rows()) == len(CHANGES)
    for change in CHANGES:
        assert any(change in row for row in rows()), change


def test_every_file_named_exists() -> None:
    for change, files in rows().items():
        assert files, change
        for name in files:
            assert (ROOT / name).is_file(), f"{change}: {name}"


def test_every_path_named_anywhere_exists() -> None:
    for document in ("CONTRIBUTING.md", "README.md"):
        for name in re.findall(
            r"`((?:jobs|store|api|worker|gradientd|tests|bench)/[\w/.-]+)`", (ROOT / document).read_text()
        ):
            assert (ROOT / name).exists(), f"{document}: {name}"
