"""Jobs that have succeeded with a model, without training: a linear one, made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from api.predict.model import Model, load_model
from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn, RowEncoding
from jobs.datasets import DatasetInfo, Target
from jobs.model_encoding import ModelEncoding
from jobs.record import Metrics
from jobs.settings import Settings
from jobs.states import Reason, Status
from store.artifacts import LocalArtifacts
from store.jobs import Claim, Store

ROWS = RowEncoding(
    columns=(
        NumericColumn(name="age", mean=30.0, std=10.0, missing=True),
        CategoricalColumn(name="city", categories=("Basel", "Bern"), missing=False),
        LeftOutColumn(name="id", reason="ignored"),
        LeftOutColumn(name="bought", reason="target"),
    )
)
CUSTOMERS = DatasetInfo(
    name="customers@1", kind="table", shape=(ROWS.width,), classes=("no", "yes"), train_examples=8, test_examples=2
)
PRICES = DatasetInfo(
    name="prices@1",
    kind="table",
    shape=(ROWS.width,),
    targets=(Target("price", 5.0, 2.0),),
    train_examples=8,
    test_examples=2,
)
DIGITS = DatasetInfo(name="digits", shape=(3, 2, 1), classes=("0", "1", "2"), train_examples=8, test_examples=2)


def kernel_of(dataset: DatasetInfo) -> np.ndarray:
    """The weights of the dataset's linear model: float32 [values, outputs]."""
    return np.random.default_rng(1).normal(size=(dataset.values, dataset.outputs)).astype(np.float32)


def model_of(dataset: DatasetInfo, folder: Path) -> Model:
    """The model as the API loads it."""
    graph = folder / "model.onnx"
    graph.write_bytes(graph_of(dataset))
    return load_model(graph, encoding_of(dataset))


def graph_of(dataset: DatasetInfo) -> bytes:
    """The model as ONNX: probabilities, or numbers."""
    kind = TensorProto.UINT8 if dataset.dtype == "uint8" else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["features"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["flat"]),
        helper.make_node("MatMul", ["flat", "kernel"], ["logits"]),
        helper.make_node("Identity" if dataset.targets else "Softmax", ["logits"], ["told"]),
    ]
    inputs = [helper.make_tensor_value_info("features", kind, ["N", *dataset.shape])]
    outputs = [helper.make_tensor_value_info("told", TensorProto.FLOAT, ["N", dataset.outputs])]
    weights = [numpy_helper.from_array(kernel_of(dataset), "kernel")]
    graph = helper.make_graph(nodes, "linear", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return model.SerializeToString()


def encoding_of(dataset: DatasetInfo) -> bytes:
    """Its `encoding.json`."""
    return ModelEncoding.of(dataset, rows=ROWS if dataset.kind == "table" else None).model_dump_json().encode()


def succeed(
    claim: Claim,
    dataset: DatasetInfo,
    *,
    settings: Settings,
    store: Store,
    do: Callable[[Any], Any],
    graph: bytes = b"",
    evaluation: bytes | None = None,
    metrics: Metrics | None = None,
) -> str:
    """End a claimed job as a worker would that has trained the dataset's linear model; its id. An evaluation and
    metrics of its test are left where they are given."""
    artifacts = LocalArtifacts.of(settings)
    files = {
        "weights.npz": b"weights",
        "encoding.json": encoding_of(dataset),
        **({} if evaluation is None else {"evaluation.json": evaluation}),
        "model.onnx": graph or graph_of(dataset),
    }
    written = [artifacts.write(claim.job.id, name, content) for name, content in files.items()]
    ending: dict[str, Any] = {"reason": Reason.COMPLETED, "metrics": metrics, "artifacts": written}
    do(store.finish(claim.job.id, claim.fence, Status.SUCCEEDED, **ending))
    return claim.job.id
