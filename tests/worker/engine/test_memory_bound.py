"""What a trainer really takes for a job, beside the estimate: neither may be far above the other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.datasets import find
from jobs.estimate import estimate
from jobs.spec import Spec

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process' peak")]

SLACK = 300 << 20
"""What compiling, kernels' own buffers and the allocator's rounding may take whatever the job."""
MOST_TAKEN, MOST_ESTIMATED = 1.3, 2.5

ONE: dict[str, Any] = {"epochs": 1}
ADAM = {"type": "adam"}
STOPPING = {"validation_split": 0.1, "early_stopping": {"patience": 2}}


def mlp(*hidden: int, **more: Any) -> dict[str, Any]:
    return {"type": "mlp", "hidden": list(hidden), **more}


def cnn(*filters: int, **more: Any) -> dict[str, Any]:
    return {"type": "cnn", "filters": list(filters), **more}


SHAPES: dict[str, dict[str, Any]] = {
    "softmax": {"model": {"type": "softmax"}, "loss": "cross_entropy"},
    "softmax-whole": {"model": {"type": "softmax"}, "loss": "cross_entropy", "batch_size": 65_536},
    "textbook": {"epochs": 3},
    "textbook-eager": {"execution": "eager"},
    "narrow-whole": {"model": mlp(1), "batch_size": 65_536},
    "wide-xla": {"model": mlp(4096, 4096), "batch_size": 4096, "execution": "xla"},
    "wide-graph": {"model": mlp(4096, 4096), "batch_size": 4096, "execution": "graph"},
    "wide-whole": {"model": mlp(8192), "batch_size": 65_536},
    "wide-adam-stopping": {"model": mlp(4096, 4096), "batch_size": 3000, "optimizer": ADAM, "epochs": 2, **STOPPING},
    "wide-adam-eager": {"model": mlp(4096, 4096), "batch_size": 9000, "optimizer": ADAM, "execution": "eager"},
    "wide-adam-graph": {"model": mlp(4096, 4096), "batch_size": 4500, "optimizer": ADAM, "execution": "graph"},
    "wide-momentum": {"model": mlp(4096, 4096), "batch_size": 4500, "optimizer": {"type": "momentum"}},
    "deep": {"model": mlp(*[2048] * 12), "batch_size": 4096},
    "deep-gelu": {"model": mlp(*[1024] * 8, activation="gelu"), "batch_size": 65_536, "execution": "graph"},
    "dropout-graph": {"model": mlp(2048, 2048, dropout=0.5), "batch_size": 65_536, "execution": "graph"},
    "dropout-xla": {"model": mlp(2048, 2048, dropout=0.5), "batch_size": 65_536, "execution": "xla"},
    "half": {"model": mlp(2048, 2048), "batch_size": 65_536, "precision": "mixed_bfloat16"},
    "cnn": {"model": cnn(16, 32, 64), "loss": "cross_entropy"},
    "cnn-large-batch": {"model": cnn(8), "batch_size": 4096, "loss": "cross_entropy"},
    "cnn-whole": {"model": cnn(8), "batch_size": 65_536, "loss": "cross_entropy"},
    "cnn-eager": {"model": cnn(16, 32), "batch_size": 2048, "execution": "eager"},
    "cnn-augmented": {
        "model": cnn(8, 16),
        "batch_size": 4096,
        "augmentation": {"shift_pixels": 2, "rotate_degrees": 10.0},
    },
    "cnn-wide": {"model": cnn(256), "batch_size": 128, "epochs": 1},
    "cnn-widest": {"model": cnn(1024), "batch_size": 65, "epochs": 1},
}
"""Every model narrow, wide and deep, batches from few to more than there are examples, every wrapper."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimate_bounds_what_a_trainer_takes(shape: str, tmp_path: Path) -> None:
    body = ONE | SHAPES[shape]
    command = [sys.executable, "-m", "tests.worker.engine.memory_run", json.dumps(body), str(tmp_path)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    root = Path(__file__).parents[3]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment)
    told = json.loads(found.stdout.splitlines()[-1])
    spec = Spec.model_validate(body)
    taken, estimated = told["peak"] - told["idle"], estimate(spec, find(spec.dataset)).memory_bytes
    figures = f"{shape}: taken {taken >> 20:,} MiB, estimated {estimated >> 20:,} MiB, idle {told['idle'] >> 20:,} MiB"
    assert taken <= MOST_TAKEN * estimated + SLACK, figures
    assert estimated <= MOST_ESTIMATED * taken + SLACK, figures
