"""The synchronous client, as it is made of the asynchronous one; `make client` writes it."""

import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

CLIENT = Path(__file__).parents[3] / "gradientd" / "client"
SOURCE = CLIENT / "_async"
TARGET = CLIENT / "_sync"
BY_HAND = frozenset({"__init__.py", "runtime.py"})
HEADER = "# Made of gradientd/client/_async/{name} by `make client`: change it there.\n"
NAMES = {
    "_async": "_sync",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncClient": "Client",
    "AsyncConnection": "Connection",
    "AsyncDatasetCalls": "DatasetCalls",
    "AsyncHistoryCalls": "HistoryCalls",
    "AsyncJobCalls": "JobCalls",
    "AsyncModelCalls": "ModelCalls",
    "AsyncPage": "Page",
    "AsyncStream": "Stream",
    "AsyncWeightsCalls": "WeightsCalls",
    "aclose": "close",
    "aclosing": "closing",
    "aiter_bytes": "iter_bytes",
    "aiter_sse": "iter_sse",
    "aread": "read",
}
"""What is called otherwise there, beside what unasync knows."""


def sources() -> list[Path]:
    """The modules that are made into others."""
    return sorted(path for path in SOURCE.glob("*.py") if path.name not in BY_HAND)


def made() -> dict[str, str]:
    """Each module of the synchronous client that is made, by its name, formatted as all code is."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "_async"
        place.mkdir()
        for path in sources():
            (place / path.name).write_text(path.read_text("utf-8"), "utf-8")
        files = [str(place / path.name) for path in sources()]
        unasync.unasync_files(files, [unasync.Rule("/_async/", "/_sync/", NAMES)])
        written = {path.name: (Path(folder) / "_sync" / path.name).read_text("utf-8") for path in sources()}
    return {name: formatted(HEADER.format(name=name) + text, TARGET / name) for name, text in written.items()}


def formatted(text: str, path: Path) -> str:
    """The text as `make format` leaves it, which stands in such a file."""
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", str(path), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, timeout=60).stdout
    return text


if __name__ == "__main__":
    for old in TARGET.glob("*.py"):
        if old.name not in BY_HAND:
            old.unlink()
    for name, text in made().items():
        (TARGET / name).write_text(text, "utf-8")
