"""What a trainer really takes for a job, beside the estimate: neither may be far above the other."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from jobs.datasets import DatasetInfo, find
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


# Networks written as layers: what is fed is named before them, with its examples.
RELU = {"type": "activation", "activation": "relu"}
NORM = {"type": "batch_normalization"}
FLAT = {"type": "flatten"}
TOLD = {"type": "dense"}
MEAN = {"type": "global_average_pooling"}


def conv(filters: int, size: int = 3, kind: str = "conv2d", **more: Any) -> dict[str, Any]:
    return {"type": kind, "filters": filters, "kernel_size": size, "padding": "same", **more}


def looks(heads: int, width: int, **more: Any) -> dict[str, Any]:
    return {"type": "multi_head_attention", "num_heads": heads, "key_dim": width, **more}


def around(*inside: dict[str, Any], first: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Layers, with a way around all but the first."""
    ends = {"type": "add", "inputs": ["first", "last"]}
    return ({**first, "name": "first"}, *inside[:-1], {**inside[-1], "name": "last"}, ends)


Shaped = tuple[tuple[int, ...], int, tuple[dict[str, Any], ...], dict[str, Any]]
LAYERS: dict[str, Shaped] = {
    "wide-convolutions": ((32, 32, 3), 256, (conv(128), RELU, conv(128), RELU, MEAN, TOLD), {"batch_size": 64}),
    "norms": ((32, 32, 3), 512, (conv(32), NORM, RELU, conv(32), NORM, RELU, MEAN, TOLD), {"batch_size": 128}),
    "norms-eager": (
        (32, 32, 3),
        256,
        (conv(32), NORM, RELU, MEAN, TOLD),
        {"batch_size": 128, "execution": "eager"},
    ),
    "residual": (
        (32, 32, 3),
        512,
        (*around(NORM, RELU, conv(48), NORM, first=conv(48)), RELU, MEAN, TOLD),
        {"batch_size": 128},
    ),
    "dilated": ((64, 64, 3), 64, (conv(64, 5, dilation_rate=2), RELU, MEAN, TOLD), {"batch_size": 32}),
    "strided": ((128, 128, 3), 64, (conv(64, 7, strides=2), RELU, conv(64), RELU, MEAN, TOLD), {"batch_size": 16}),
    "depthwise": (
        (48, 48, 8),
        128,
        ({"type": "depthwise_conv2d", "kernel_size": 5, "depth_multiplier": 8, "padding": "same"}, RELU, MEAN, TOLD),
        {"batch_size": 64},
    ),
    "separable": ((48, 48, 8), 128, (conv(64, 3, "separable_conv2d"), RELU, MEAN, TOLD), {"batch_size": 64}),
    "transpose": (
        (16, 16, 32),
        128,
        (conv(64, 3, "conv2d_transpose", strides=2), RELU, conv(32, 3, "conv2d_transpose", strides=2), MEAN, TOLD),
        {"batch_size": 64},
    ),
    "sequences-convolved": ((2048, 8), 128, (conv(128, 9, "conv1d"), RELU, MEAN, TOLD), {"batch_size": 64}),
    "pooled": (
        (64, 64, 32),
        128,
        ({"type": "average_pooling"}, {"type": "up_sampling"}, {"type": "max_pooling"}, FLAT, TOLD),
        {"batch_size": 64},
    ),
    "lstm-long": ((400, 16), 256, ({"type": "lstm", "units": 128}, TOLD), {"batch_size": 128}),
    "lstm-long-xla": (
        (400, 16),
        256,
        ({"type": "lstm", "units": 128}, TOLD),
        {"batch_size": 128, "execution": "xla"},
    ),
    "gru-all-steps": (
        (200, 16),
        256,
        ({"type": "gru", "units": 128, "return_sequences": True}, FLAT, TOLD),
        {"batch_size": 128, "optimizer": ADAM},
    ),
    "both-ways": (
        (200, 16),
        256,
        ({"type": "bidirectional", "layer": {"type": "lstm", "units": 96, "dropout": 0.2}}, TOLD),
        {"batch_size": 128},
    ),
    "attention-long": (
        (512, 16),
        64,
        ({"type": "dense", "units": 64}, looks(4, 16), MEAN, TOLD),
        {"batch_size": 32},
    ),
    "attention-long-xla": (
        (512, 16),
        64,
        ({"type": "dense", "units": 64}, looks(4, 16, dropout=0.1), MEAN, TOLD),
        {"batch_size": 32, "execution": "xla"},
    ),
    "transformer": (
        (128, 32),
        256,
        (
            *around({"type": "layer_normalization"}, looks(8, 16), first={"type": "dense", "units": 128}),
            {"type": "layer_normalization"},
            {"type": "dense", "units": 512, "activation": "gelu"},
            MEAN,
            TOLD,
        ),
        {"batch_size": 64, "optimizer": ADAM},
    ),
    "embedding-large": (
        (40,),
        512,
        ({"type": "embedding", "input_dim": 300_000, "output_dim": 128}, MEAN, TOLD),
        {"batch_size": 128, "optimizer": ADAM},
    ),
    "dense-norms": (
        (784,),
        20_000,
        ({"type": "dense", "units": 2048}, NORM, RELU, {"type": "dense", "units": 2048}, NORM, RELU, TOLD),
        {"batch_size": 8192, "optimizer": ADAM, **STOPPING},
    ),
}
"""Shape of an example, number of them, layers, and what else the spec says."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimate_bounds_what_a_trainer_takes(shape: str, tmp_path: Path) -> None:
    check(shape, ONE | SHAPES[shape], tmp_path)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("shape", LAYERS)
def test_the_estimate_bounds_what_networks_of_layers_take(shape: str, tmp_path: Path) -> None:
    fed, examples, layers, more = LAYERS[shape]
    info = DatasetInfo(
        name="made-up@1",
        kind="arrays",
        shape=fed,
        classes=tuple("abcdefgh"),
        train_examples=examples,
        test_examples=examples // 4,
        array_dtype="uint8" if layers[0]["type"] == "embedding" else "float32",
    )
    body = {"model": {"type": "layers", "layers": list(layers)}, "loss": "cross_entropy", **ONE, **more}
    check(shape, body, tmp_path, info)


def check(shape: str, body: dict[str, Any], folder: Path, info: DatasetInfo | None = None) -> None:
    command = [sys.executable, "-m", "tests.worker.engine.memory_run", json.dumps(body), str(folder)]
    if info:
        command.append(json.dumps(asdict(info)))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    root = Path(__file__).parents[3]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment)
    told = json.loads(found.stdout.splitlines()[-1])
    spec = Spec.model_validate(body)
    taken, estimated = told["peak"] - told["idle"], estimate(spec, info or find(spec.dataset)).memory_bytes
    figures = f"{shape}: taken {taken >> 20:,} MiB, estimated {estimated >> 20:,} MiB, idle {told['idle'] >> 20:,} MiB"
    sys.stdout.write(f"{figures}\n")
    assert taken <= MOST_TAKEN * estimated + SLACK, figures
    assert estimated <= MOST_ESTIMATED * taken + SLACK, figures
