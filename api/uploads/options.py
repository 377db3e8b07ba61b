"""How an upload is to be read."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from jobs.inputs import Fit

MOST_TARGETS = 64


class UploadOptions(BaseModel):
    """How an upload is to be read."""

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
    size: tuple[int, int] | None = None
    """Height and width that pictures get; None is that of all of them."""
    fit: Fit | None = None
    """How they get it; None is `contain`."""
    channels: Literal[1, 3, 4] | None = None
    """What they are made of; None goes by what there is."""

    @property
    def of_tables(self) -> tuple[str, ...]:
        """Names of those that were given and that tables alone have."""
        given = {
            "target": self.targets,
            "ignore": self.ignore,
            "numeric": self.numeric,
            "categorical": self.categorical,
            "missing": self.missing,
        }
        return tuple(name for name, value in given.items() if value)

    @property
    def of_pictures(self) -> tuple[str, ...]:
        """Names of those that were given and that pictures alone have."""
        given = {"size": self.size, "fit": self.fit, "channels": self.channels}
        return tuple(name for name, value in given.items() if value is not None)
