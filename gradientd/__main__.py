"""`python -m gradientd` is the command `gradientd`."""

import sys
from contextlib import suppress
from pathlib import Path


def forget_current_folder() -> None:
    """Take the folder that `-m` put first off the path, as if called by the command's name: whatever stands in it (a
    `jobs.py` of the user's) is none of ours, unless this package does."""
    with suppress(OSError):  # a folder that is gone
        if sys.path[0] and Path(__file__).parents[1].samefile(sys.path[0]):
            return
    del sys.path[0]


if __name__ == "__main__":
    if not sys.flags.safe_path:
        forget_current_folder()
    from gradientd.cli.app import app

    app()
