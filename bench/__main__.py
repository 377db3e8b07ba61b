"""`python -m bench [FIGURE …]`: measure and print. Always exits with 0, even when a target is missed."""

import argparse
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from bench import machine
from bench.figure import Figure, table
from bench.options import Options
from jobs.logs import configure_logging

FIGURES = {
    "mlp": "epoch_mlp",
    "cnn": "epoch_cnn",
    "resnet": "epoch_resnet",
    "latency": "latency",
    "cancel": "cancel",
    "api": "throughput",
    "predict": "predict",
    "tables": "tables",
    "pictures": "pictures",
    "streams": "streams",
    "eta": "eta",
}

RESULTS = Path(__file__).parent / "RESULTS.md"


class Bench(Protocol):
    """A module that measures."""

    NOTE: str

    def run(self, options: Options) -> list[Figure]:
        """Measure."""
        ...


def main() -> None:
    """Measure what was asked for."""
    arguments = _arguments()
    configure_logging("warning")
    options = Options(
        runs=arguments.runs, mnist=arguments.mnist, torch_python=arguments.torch_python, quick=arguments.quick
    )
    facts = machine.header()
    if options.torch_python is None:
        facts["PyTorch"] = "left out: name an interpreter that has it with --torch-python"
    figures: list[Figure] = []
    notes: list[str] = []
    for name in arguments.figures or FIGURES:
        began = time.monotonic()
        bench = cast("Bench", import_module(f"bench.{FIGURES[name]}"))
        figures += bench.run(options)
        notes.append(bench.NOTE)
        print(f"{name}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr)
    facts["load after"] = f"{machine.load():.2f}"
    report = _report(facts, figures, notes, quick=options.quick)
    if arguments.json:
        print(json.dumps({"machine": facts, "figures": [figure.to_json() for figure in figures]}, indent=1))
    else:
        print(report)
    if arguments.write:
        RESULTS.write_text(f"# Results\n\nWritten by `python -m bench --write`.\n\n```text\n{report}\n```\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Print every published figure beside its peers, from one run here."
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"some of {', '.join(FIGURES)}; all without")
    parser.add_argument("--runs", type=int, help="rounds of each figure, instead of its usual number")
    parser.add_argument("--json", action="store_true", help="print JSON with every value")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS.name}")
    parser.add_argument(
        "--mnist",
        type=Path,
        default=os.environ.get("GRADIENTD_TEST_MNIST"),
        help="Keras' mnist.npz; by default it is fetched ($GRADIENTD_TEST_MNIST)",
    )
    parser.add_argument(
        "--torch-python",
        default=os.environ.get("GRADIENTD_BENCH_TORCH_PYTHON"),
        help="interpreter that can import torch and numpy ($GRADIENTD_BENCH_TORCH_PYTHON)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that all runs; the numbers mean nothing"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.figures) - set(FIGURES):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    return arguments


def _report(facts: dict[str, str], figures: list[Figure], notes: list[str], *, quick: bool) -> str:
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {fact}" for name, fact in facts.items()]
    missed = [figure for figure in figures if figure.met is False]
    verdict = "QUICK RUN: THESE NUMBERS MEAN NOTHING" if quick else _verdict(missed, figures)
    return "\n\n".join(["\n".join(lines), table(figures), verdict, *notes])


def _verdict(missed: list[Figure], figures: list[Figure]) -> str:
    targets = sum(figure.target is not None for figure in figures)
    if not missed:
        return f"All {targets} targets met."
    names = "; ".join(f"{figure.name} {figure.peer}".strip() for figure in missed)
    beyond = sum(figure.out_of_reach for figure in missed)
    reach = f", {beyond} OF THEM OUT OF THIS MACHINE'S REACH" if beyond else ""
    return f"MISSED {len(missed)} OF {targets} TARGETS{reach}: {names}"


if __name__ == "__main__":
    main()
