"""What the kernel tells in files: text of whatever bytes, on systems that may not have the file."""

from pathlib import Path


def lines_of(file: Path) -> list[str]:
    """The lines of a file; none where it cannot be read. A process or a control group may be named in any bytes."""
    try:
        return file.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
