"""docs/layers.md lists every kind of layer as the code has it: `python -m tests.jobs.test_layers_docs` writes it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jobs.architecture import describe
from jobs.datasets import CATALOGUE, DatasetInfo
from jobs.layers.base import Layer
from jobs.layers.catalogue import KINDS
from jobs.spec import Spec

PAGE = Path(__file__).parents[2] / "docs" / "layers.md"
BEGIN, END = "<!-- every kind -->\n", "<!-- /every kind -->\n"
ABOUT_WEIGHTS = ("_initializer", "_regularizer")
STEPS = DatasetInfo(
    name="steps",
    kind="arrays",
    shape=(50, 4),
    classes=("a", "b"),
    train_examples=9,
    test_examples=9,
)
IDS = DatasetInfo(name="ids", kind="arrays", shape=(50,), classes=("a", "b"), train_examples=9, test_examples=9)


def parameters(kind: type[Layer]) -> str:
    """Each with its default, where it has one; those of weights at the end."""
    own = {name: field for name, field in kind.model_fields.items() if name not in ("type", "name", "inputs")}
    plain = [
        f"`{name}`" if field.is_required() else f"`{name}={json.dumps(field.default)}`"
        for name, field in own.items()
        if not name.endswith(ABOUT_WEIGHTS)
    ]
    return ", ".join([*plain, *(f"`{name}`" for name in own if name.endswith(ABOUT_WEIGHTS))])


def table() -> str:
    rows = ["| kind | what it is | inputs | parameters |", "|---|---|---|---|"]
    for name, kind in KINDS.items():
        fewest, most = kind.takes
        inputs = str(fewest) if fewest == most else f"{fewest} to {most}"
        what = re.sub(r"\s+", " ", kind.__doc__ or "").strip()
        rows.append(f"| `{name}` | {what} | {inputs} | {parameters(kind)} |")
    return "\n".join(rows) + "\n"


def test_the_page_lists_every_kind_as_it_is() -> None:
    written = PAGE.read_text()
    assert written.partition(BEGIN)[2].partition(END)[0] == table(), "python -m tests.jobs.test_layers_docs"


EXAMPLES: list[Any] = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]


@pytest.mark.parametrize("body", EXAMPLES)
def test_the_pages_examples_are_networks(body: dict[str, Any]) -> None:
    dataset = {"steps": STEPS, "ids": IDS}.get(body["dataset"]) or CATALOGUE[body["dataset"]]
    assert describe(Spec.model_validate(body), dataset).parameters > 0


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])
