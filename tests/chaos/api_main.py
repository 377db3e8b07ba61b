"""An API process with the suite's points in it: `python -m tests.chaos.api_main`."""

from api.__main__ import main
from tests.chaos import points

if __name__ == "__main__":
    points.in_api()
    main([])
