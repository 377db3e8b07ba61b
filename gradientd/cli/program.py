"""How this program was called, so that the commands it proposes can be typed as they stand."""

import os
import shutil
import sys
from pathlib import Path
from shlex import quote

NAME = "gradientd"


def called_as() -> str:
    """`gradientd` where that is on the PATH; else the path by which it was called, or `python -m gradientd`."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == (NAME, "__main__.py"):
        return f"python -m {NAME}"
    found = shutil.which(NAME)
    if called.name != NAME or not called.exists() or (found and os.path.samefile(found, called)):
        return NAME
    return quote(sys.argv[0])
