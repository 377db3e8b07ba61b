"""What `auto` becomes: a function of spec, dataset and device, kept over a job's attempts."""

from typing import Any

import pytest

from jobs.datasets import find
from jobs.estimate import estimate
from jobs.record import Device, Runtime
from tests.worker.engine.listening import spec_of
from worker.engine.execution import execution_for

CPU = Device(name="/device:CPU:0", kind="cpu", model="a CPU")
GPU = Device(name="/device:GPU:0", kind="gpu", model="a GPU", memory_growth=True)


def chosen(body: dict[str, Any], device: Device, *, dataset: str = "mnist", begun: Runtime | None = None) -> str:
    spec = spec_of(**body)
    return execution_for(spec, estimate(spec, find(dataset)), device=device, begun=begun)


def begun(execution: str, device: str) -> Runtime:
    """As an earlier attempt has told it."""
    return Runtime.model_validate(
        {
            "execution": execution,
            "device": device,
            "device_name": "of old",
            "variables": {},
            "parameters": 1,
            "threads": 2,
            "memory_growth": None,
            "tensorflow": "2.20.0",
        }
    )


@pytest.mark.parametrize(
    ("body", "device", "mode"),
    [
        ({}, CPU, "xla"),
        ({"epochs": 1}, CPU, "xla"),
        ({"model": {"type": "mlp", "hidden": [32]}, "epochs": 1, "optimizer": {"type": "sgd"}}, CPU, "graph"),
        ({"model": {"type": "mlp", "hidden": [256]}, "epochs": 1, "optimizer": {"type": "adam"}}, CPU, "xla"),
        ({"model": {"type": "softmax"}, "epochs": 1}, CPU, "graph"),
        ({"model": {"type": "softmax"}, "epochs": 10}, CPU, "xla"),
        ({"model": {"type": "cnn"}, "epochs": 100}, CPU, "graph"),
        ({"model": {"type": "cnn"}, "epochs": 1}, GPU, "xla"),
        ({"epochs": 1}, GPU, "xla"),
        ({"model": {"type": "cnn"}, "execution": "xla"}, CPU, "xla"),
        ({"execution": "eager"}, CPU, "eager"),
    ],
)
def test_auto_compiles_where_the_steps_to_come_are_worth_it(body: dict[str, Any], device: Device, mode: str) -> None:
    assert chosen(body, device) == mode


FLAT, HIDDEN, TOLD = {"type": "flatten"}, {"type": "dense", "units": 64, "activation": "relu"}, {"type": "dense"}
ROWS = {"type": "reshape", "target_shape": [28, 28]}
LSTM = {"type": "lstm", "units": 32}


@pytest.mark.parametrize(
    ("middle", "epochs", "device", "mode"),
    [
        ([FLAT, HIDDEN], 1, CPU, "graph"),
        ([FLAT, HIDDEN, {"type": "batch_normalization"}, HIDDEN], 3, CPU, "xla"),
        ([ROWS, LSTM], 10, CPU, "xla"),
        ([ROWS, {"type": "max_pooling"}, FLAT], 100, CPU, "graph"),
        ([{"type": "conv2d", "filters": 4, "kernel_size": 3}, FLAT], 100, CPU, "graph"),
        ([FLAT, {**HIDDEN, "units": 4096}, {"type": "dropout", "rate": 0.5}], 100, CPU, "graph"),
        ([FLAT, HIDDEN], 1, GPU, "xla"),
        ([{"type": "conv2d", "filters": 4, "kernel_size": 3}, FLAT], 1, GPU, "xla"),
        ([{"type": "max_pooling"}, FLAT], 1, GPU, "graph"),
        ([ROWS, LSTM], 100, GPU, "graph"),
    ],
)
def test_auto_compiles_layers_that_win_by_it(
    middle: list[dict[str, Any]], epochs: int, device: Device, mode: str
) -> None:
    model = {"type": "layers", "layers": [*middle, TOLD]}
    assert chosen({"model": model, "loss": "cross_entropy", "epochs": epochs}, device) == mode


def test_auto_reads_the_steps_off_the_dataset() -> None:
    assert chosen({"epochs": 1}, CPU, dataset="mnist") == "xla"
    assert chosen({"epochs": 1}, CPU, dataset="mnist-10k") == "graph"


def test_a_later_attempt_keeps_what_the_first_chose() -> None:
    assert chosen({}, CPU, begun=begun("graph", "/device:CPU:0")) == "graph"
    assert chosen({"epochs": 1}, CPU, begun=begun("xla", "/device:CPU:0")) == "xla"


def test_on_another_kind_of_device_auto_chooses_anew() -> None:
    assert chosen({"model": {"type": "cnn"}}, CPU, begun=begun("xla", "/device:GPU:0")) == "graph"
    assert chosen({"model": {"type": "cnn"}}, GPU, begun=begun("graph", "/device:CPU:0")) == "xla"


def test_a_named_execution_is_taken_whatever_was_before() -> None:
    assert chosen({"execution": "eager"}, CPU, begun=begun("xla", "/device:CPU:0")) == "eager"
