"""An API process with the suite's points in it: `python -m tests.chaos.api_main`."""

from api.__main__ import main
from tests.chaos import clock, points  # noqa: F401 (the clock is in the scripts from here on)

if __name__ == "__main__":
    points.in_api()
    main([])
