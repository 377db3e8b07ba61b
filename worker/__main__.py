"""`python -m worker`: run a worker, or with `--check` tell whether this one is live."""

import argparse
import sys
import warnings

from jobs.errors import Misconfigured, StoreUnavailable
from jobs.logs import configure_logging
from jobs.settings import Settings, load_settings
from store.calls import connect, run
from store.jobs import Store
from worker.gpus import gpu_may_be_there


def main() -> int:
    """Returns the exit code: 0 after a requested stop, or for `--check` when the worker is live."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="Train jobs of gradientd.")
    parser.add_argument("--check", action="store_true", help="exit 0 if this worker is live in the store, else say why")
    options = parser.parse_args()
    try:
        settings = load_settings()
    except Misconfigured as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    if options.check:
        return _check(settings)
    configure_logging(settings.log_level)
    if settings.device == "gpu" and not gpu_may_be_there():
        sys.stderr.write("GRADIENTD_DEVICE is 'gpu', but no NVIDIA card is visible to this worker\n")
        return 2
    # Celery warns root of pickled messages; only JSON is accepted here.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    from worker.app import run_worker  # noqa: PLC0415 (Celery takes a second that --check need not wait)

    return run_worker(settings)


def _check(settings: Settings) -> int:
    name = settings.worker
    try:
        with connect(settings) as client:
            live = run(client, Store.of(settings).workers())
    except StoreUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if name in {worker.name for worker in live}:
        return 0
    sys.stderr.write(f"worker {name!r} has not spoken lately\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
