"""`python -m tests.chaos`: run the suite; the exit code is not 0 when a promise was broken."""

import argparse
import random
import secrets
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.chaos import full_disk, killed, mutations, uploads
from tests.chaos.points import MUTATIONS
from tests.chaos.stack import Stack
from tests.chaos.storm import Storm
from tests.chaos.verdict import Verdict
from tests.disk import mounted

DISK_MB = 400
"""Of the data directory, where it can be a disk of its own: room for all jobs, and soon filled."""


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("storm", "killed", "directed", "uploads"), default="storm")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(2**31), help="repeats what is asked for, and when"
    )
    parser.add_argument("--jobs", type=int, default=300, help="at least so many (%(default)s)")
    parser.add_argument("--faults", type=int, default=500, help="at least so many (%(default)s)")
    parser.add_argument("--uploads", type=int, default=60, help="broken off, of `uploads` (%(default)s)")
    parser.add_argument("--races", type=int, default=200, help="of a deletion with a submission (%(default)s)")
    parser.add_argument("--minutes", type=float, help="go on for so long, instead of until so many")
    parser.add_argument("--mutate", choices=sorted(MUTATIONS), help="take a part out; succeed only if it is noticed")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the stack's data and log")
    options = parser.parse_args()
    what = f"with {options.mutate} taken out" if options.mutate else options.what
    print(f"chaos: {what}, seed {options.seed}", flush=True)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: sys.exit(130))
    folder = Path(tempfile.mkdtemp(prefix="gradientd-chaos-"))
    keep = True
    try:
        with mounted(folder / "data", mb=DISK_MB) as small:
            try:
                with Stack(folder, mutation=options.mutate or "", small_disk=small) as stack:
                    clean = _run(stack, options)
                keep = options.keep or clean == bool(options.mutate)
            finally:
                if keep and small:
                    shutil.copytree(folder / "data", folder / "data-kept")
    except KeyboardInterrupt:
        return 130
    finally:
        if keep:
            print(f"data and log of the stack: {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if options.mutate:
        print("noticed: red, as it must be" if not clean else "NOT noticed: the suite is blind to it")
        return int(clean)
    return int(not clean)


def _run(stack: Stack, options: argparse.Namespace) -> bool:
    rng = random.Random(options.seed)
    stack.start()
    if options.mutate:
        verdict = mutations.run(stack, options.mutate, rng=rng)
    elif options.what == "directed":
        # What the mutations are caught by must find nothing where nothing is taken out.
        verdict = mutations.run(stack, "reconciler", rng=rng)
        if verdict.clean:
            verdict = mutations.run(stack, "fence", rng=rng)
        if verdict.clean:
            verdict = full_disk.run(stack, rng=rng)
    elif options.what == "uploads":
        verdict, outcome = uploads.run(stack, rng=rng, uploads=options.uploads, races=options.races)
        _table("fault", outcome.injected)
        _table("what was there afterwards", outcome.left)
    elif options.what == "killed":
        verdict, rows = killed.run(stack, rng=rng)
        print(f"\n{'job':<12}{'killed':>8}{'attempts':>10}  same bits as uninterrupted")
        for kind, kills, attempts, same in rows:
            print(f"{kind:<12}{kills:>8}{attempts:>10}  {same}")
    else:
        storm = Storm(stack, rng=rng, jobs=options.jobs, faults=options.faults, minutes=options.minutes)
        verdict = storm.run()
        if options.minutes is None and options.faults >= 500:
            # A fault that never takes place would look like one that does no harm.
            absent = [name for name, times in storm.injected.items() if not times]
            verdict.violations += [f"the fault {name!r} never took place" for name in absent]
        _table("fault", storm.injected)
        print(f"{'all':<40}{storm.injected.total():>6}   ({storm.missed.total()} more did not take place)")
        print(f"{storm.readers.answers} answers to readers who waited")
    _report(verdict, seed=options.seed)
    return verdict.clean


def _table(title: str, counts: Counter) -> None:
    print(f"\n{title:<40}{'times':>6}")
    for name, times in sorted(counts.items(), key=lambda item: str(item[0])):
        print(f"{name!s:<40}{times:>6}")


def _report(verdict: Verdict, *, seed: int) -> None:
    _table("how jobs ended", verdict.ends)
    _table("attempts", verdict.attempts)
    for title in ("lost", "duplicated", "stuck", "violations"):
        for text in getattr(verdict, title)[:20]:
            print(f"  {title}: {text}")
    print(
        f"\nseed {seed}: {verdict.jobs} jobs, {len(verdict.lost)} lost, {len(verdict.duplicated)} duplicated, "
        f"{len(verdict.stuck)} stuck, {len(verdict.violations)} violations: {'clean' if verdict.clean else 'RED'}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
