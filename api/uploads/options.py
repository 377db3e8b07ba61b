"""How an uploaded table is to be read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

MOST_TARGETS = 64


class TableOptions(BaseModel):
    """How a table is to be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[str, ...] = ()
    """Columns to be predicted; none is the last one."""
    task: Literal["auto", "classification", "regression"] = "auto"
    ignore: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """What missing values are written as, beside the usual."""
    test_split: float = 0.2
    split_seed: int = 0
    on_bad: Literal["refuse", "skip"] = "refuse"
