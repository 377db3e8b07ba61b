"""Every bench runs at a tiny size and prints its ratios. Says nothing about time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import FIGURES

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FIGURES)
def test_a_bench_runs_and_prints_its_figures(name: str) -> None:
    command = [sys.executable, "-m", "bench", name, "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert figures
    assert all(figure["ours_median"] > 0 for figure in figures)
    assert all(figure["ratio"] > 0 for figure in figures if figure["peer"])
