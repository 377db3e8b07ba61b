"""The options that say how an upload is read: those of `train FILE` and of `datasets upload`."""

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

PANEL = "How the upload is read"


class Task(StrEnum):
    """What is to be learnt."""

    AUTO = "auto"
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class OnBad(StrEnum):
    """What becomes of examples with a fault."""

    REFUSE = "refuse"
    SKIP = "skip"


class FitWay(StrEnum):
    """How pictures of another size get it."""

    CONTAIN = "contain"
    COVER = "cover"
    STRETCH = "stretch"


class Channels(StrEnum):
    """What pictures are made of."""

    GREY = "1"
    COLOURS = "3"
    TRANSPARENT = "4"


TargetOption = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="COLUMN", help="Column to be told; may be repeated.", rich_help_panel=PANEL),
]
TaskOption = Annotated[Task, typer.Option(help="Classes or numbers; auto looks.", rich_help_panel=PANEL)]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="COLUMN", help="Column to leave out; may be repeated.", rich_help_panel=PANEL),
]
OnBadOption = Annotated[
    OnBad,
    typer.Option("--on-bad", help="Refuse an upload for its bad examples, or skip them.", rich_help_panel=PANEL),
]
SizeOption = Annotated[
    str | None,
    typer.Option("--size", metavar="HEIGHTxWIDTH", help="Size that pictures get.", rich_help_panel=PANEL),
]
FitOption = Annotated[
    FitWay | None,
    typer.Option("--fit", help="How they get it: whole, filled, or out of proportion.", rich_help_panel=PANEL),
]
ChannelsOption = Annotated[
    Channels | None,
    typer.Option("--channels", help="1: grey, 3: colours, 4: and how opaque they are.", rich_help_panel=PANEL),
]
TestSplitOption = Annotated[
    float | None,
    typer.Option(
        "--test-split",
        metavar="SHARE",
        help="Share of the examples that is kept to test on, where the upload has none for that.",
        rich_help_panel=PANEL,
        show_default="0.2",
    ),
]
SplitSeedOption = Annotated[
    int | None,
    typer.Option("--split-seed", help="Fixes which those are.", rich_help_panel=PANEL, show_default="0"),
]


@dataclass(frozen=True, slots=True)
class Reading:
    """What these options say."""

    target: list[str] | None = None
    task: Task = Task.AUTO
    ignore: list[str] | None = None
    on_bad: OnBad = OnBad.REFUSE
    size: str | None = None
    fit: FitWay | None = None
    channels: Channels | None = None
    test_split: float | None = None
    split_seed: int | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that say something else than what goes without saying, as the client takes them.

        Raises typer.BadParameter for a size that is none.
        """
        plain = {name: value for name, value in asdict(self).items() if value not in (None, Task.AUTO, OnBad.REFUSE)}
        changes = {"size": _size, "channels": int, "task": str, "on_bad": str, "fit": str}
        return {name: changes[name](value) if name in changes else value for name, value in plain.items()}


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no size; wanted HEIGHTxWIDTH, such as 64x64", param_hint="--size")
    return int(found[1]), int(found[2])
