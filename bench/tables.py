"""What `preset: "auto"` learns of scikit-learn's five bundled tables, beside scikit-learn's own perceptrons.

Each table goes in as a CSV, is checked and split as an upload is, and both learn the same rows, 20 splits each.
"""

import csv
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from api.uploads.options import UploadOptions
from api.uploads.table import CheckedTable, Limits, check_table
from bench.figure import Figure, Spread, Target
from bench.options import Options
from jobs.datasets import DatasetInfo
from jobs.datasets import Target as Number
from jobs.estimate import estimate
from jobs.presets import resolve
from jobs.spec import Spec

SPLITS = 20
NOTE = """\
tables: accuracy (diabetes: R²) on the test rows, `preset: "auto"` beside MLPClassifier/MLPRegressor(64, 64), else at
their defaults, on the same standardised rows; the mean of paired splits. The bound is the peer's mean minus the larger
of 0.01 and two standard errors of the difference (R²: minus 0.03)."""


def run(options: Options) -> list[Figure]:
    """Measure each table."""
    splits = 2 if options.quick else options.runs or SPLITS
    names = ["iris", "diabetes"] if options.quick else ["iris", "wine", "breast_cancer", "digits", "diabetes"]
    return [_figure(name, splits) for name in names]


def _figure(name: str, splits: int) -> Figure:
    ours: list[float] = []
    peers: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        _write(name, path)
        for seed in range(splits):
            into = Path(folder) / str(seed)
            into.mkdir()
            table = check_table(path, UploadOptions(split_seed=seed), into=into, limits=Limits(1 << 30, 1 << 30))
            arrays = {file.stem: np.load(file) for file in into.glob("*.npy")}
            ours.append(_ours(table, arrays, seed=seed))
            peers.append(_peer(table, arrays, seed=seed))
    differences = [a - b for a, b in zip(ours, peers, strict=True)]
    error = stdev(differences) / len(differences) ** 0.5 if splits > 1 else 0.0
    slack = 0.03 if name == "diabetes" else max(0.01, 2 * error)
    kind = "R²" if name == "diabetes" else "accuracy"
    return Figure(
        name=f"{name}, {kind}",
        unit="",
        ours=Spread.of([mean(ours)]),
        peer="scikit-learn",
        theirs=Spread.of([mean(peers)]),
        higher_is_better=True,
        target=Target("at least", round(mean(peers) - slack, 4)),
    )


def _write(name: str, path: Path) -> None:
    from sklearn import datasets  # noqa: PLC0415 (a peer, which this bench alone needs)

    load: Callable[[], Any] = getattr(datasets, f"load_{name}")
    found = load()
    names = [*found.feature_names, "target"]
    classes = found.get("target_names") if name in ("iris", "wine", "breast_cancer") else None
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row, target in zip(found.data.tolist(), found.target.tolist(), strict=True):
            writer.writerow([*row, classes[target] if classes is not None else target])


def _ours(table: CheckedTable, arrays: dict[str, np.ndarray], *, seed: int) -> float:
    from bench.tables_train import trained  # noqa: PLC0415 (TensorFlow, only where it is needed)

    info = DatasetInfo(
        name="table@1",
        kind="table",
        shape=(table.encoding.width,),
        classes=table.classes or (),
        targets=tuple(Number(target.name, target.mean, target.std) for target in table.targets or ()),
        train_examples=table.train_examples,
        test_examples=table.test_examples,
    )
    spec = resolve(Spec(preset="auto", seed=seed), info)
    outcome = trained(spec, info, arrays, estimate(spec, info))
    return outcome["r2" if info.targets else "accuracy"]


def _peer(table: CheckedTable, arrays: dict[str, np.ndarray], *, seed: int) -> float:
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: PLC0415

    kind = MLPRegressor if table.targets else MLPClassifier
    peer = kind(hidden_layer_sizes=(64, 64), random_state=seed)
    y = arrays["train_y"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged within its 200 epochs
        if table.targets:
            # In their own units, as somebody would call it.
            (target,) = table.targets
            peer.fit(arrays["train_x"], y[:, 0] * target.std + target.mean)
            return float(peer.score(arrays["test_x"], arrays["test_y"][:, 0] * target.std + target.mean))
        peer.fit(arrays["train_x"], y)
        return float(peer.score(arrays["test_x"], arrays["test_y"]))
