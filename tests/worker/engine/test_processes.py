"""A job ends in the same bits in every process, in whatever order TensorFlow comes by the nodes of its graph."""

import subprocess
import sys

import pytest

PROCESSES = 5


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_job_ends_in_the_same_bits_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.worker.engine.bits_run"]
    digests = {
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
        for _ in range(PROCESSES)
    }
    (digest,) = digests
    assert len(digest) == 64
