"""What can be wrong with an upload: its places, and the errors that name them."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.errors import GradientdError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A place in an upload, and what is wrong with it. Rows of data count from 1, and so do lines of the file."""

    file: str | None = None
    """Name of a file in an archive."""
    row: int | None = None
    line: int | None = None
    column: str | None = None
    found: str = ""
    wanted: str = ""

    def __str__(self) -> str:
        places = (
            ("file", self.file and repr(self.file)),
            ("row", self.row),
            ("line", self.line),
            ("column", self.column and repr(self.column)),
        )
        where = ", ".join(f"{name} {place}" for name, place in places if place is not None)
        return f"{where}: found {self.found}; wanted {self.wanted}"


class Faulty(GradientdError):
    """An upload has faults. The message names the first, `faults` the first thousand, `total` counts all."""

    code = "faulty"

    def __init__(self, detail: str, faults: Sequence[Fault] = (), *, total: int | None = None) -> None:
        self.detail = detail
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total
        others = f" (and {self.total - 1:,} more)" if self.total > 1 else ""
        super().__init__(": ".join(filter(None, (detail, *map(str, self.faults[:1])))) + others)


class UnreadableRows(Faulty):
    """Rows cannot be read as those that a model was trained on. Correct the cells that `faults` names."""

    code = "unreadable_rows"

    def __init__(self, faults: Sequence[Fault], *, total: int | None = None) -> None:
        super().__init__("", faults, total=total)


class InvalidUpload(Faulty):
    """An upload cannot become a dataset. Correct what the message and `faults` name, or have what is bad left out with
    `on_bad=skip`; nothing was kept."""

    code = "invalid_upload"


class UploadTooLarge(GradientdError):
    """An upload is longer than uploads may be here. Send less, or ask whoever runs the service for more."""

    code = "upload_too_large"

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"the upload is longer than {most_bytes:,} bytes")
