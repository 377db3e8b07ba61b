"""The package beside modules of the user's."""

import subprocess
import sys
from pathlib import Path


def test_a_jobs_of_the_users_own_is_named_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("raise SystemExit('run')")
    command = [sys.executable, "-c", "from gradientd import Client"]
    hidden = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert hidden.returncode == 1
    last = hidden.stderr.splitlines()[-1]
    assert last.startswith("ImportError: gradientd needs its own package `jobs`, and Python finds ")
    assert f"{tmp_path}/jobs.py in its place: rename that" in last
    command.insert(1, "-P")
    subprocess.run(command, cwd=tmp_path, check=True, timeout=30)


def test_one_that_is_loaded_already_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "__init__.py").touch()
    command = [sys.executable, "-c", "import jobs; from gradientd import Client"]
    hidden = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert "ImportError: gradientd needs its own package `jobs`" in hidden.stderr
