"""A worker with the suite's points in it: `python -m tests.chaos.worker_main`.

Celery spawns the trainer's process, which imports this module anew: what stands at module level happens there too.
"""

import sys

from celery import signals

import worker.app  # noqa: F401 (its handler makes the trainer, and must be connected before ours)
from tests.chaos import clock, points  # noqa: F401 (the clock is in the scripts from here on)
from worker.__main__ import main

points.during_import()


@signals.worker_process_init.connect
def _put_points_in(**_: object) -> None:
    points.in_trainer()


if __name__ == "__main__":
    sys.exit(main())
