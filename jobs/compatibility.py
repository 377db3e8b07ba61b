"""Whether the fields of a resolved spec go together, and go with its dataset."""

from jobs.architecture import Architecture, describe
from jobs.datasets import DatasetInfo
from jobs.errors import InvalidSpec
from jobs.spec import Layers, Spec

OF_CLASSES = frozenset({"accuracy", "val_accuracy"})
OF_NUMBERS = frozenset({"mae", "rmse", "r2", "val_mae", "val_rmse", "val_r2"})


def check_fit(spec: Spec, dataset: DatasetInfo) -> None:
    """Raise InvalidSpec where the spec asks for what this dataset's kind or task does not have, or stops by examples
    that it does not hold out.

    That its network fits, `jobs.architecture` sees.
    """
    monitor = spec.early_stopping.monitor if spec.early_stopping else ""
    if spec.validation_split and dataset.validation_examples:
        raise InvalidSpec(
            f"{dataset.name} brings {dataset.validation_examples:,} examples to validate on, so none are to be held "
            "out; set validation_split to 0",
            pointer="/validation_split",
        )
    if monitor.startswith("val_") and spec.validation_split == 0 and not dataset.validation_examples:
        raise InvalidSpec(
            f"early_stopping.monitor is {monitor!r} but validation_split is 0: choosing when to stop by the test "
            "examples would make their accuracy meaningless; set validation_split, for example to 0.1",
            pointer="/early_stopping/monitor",
        )
    if dataset.kind != "images" and spec.augmentation:
        what = "rows" if dataset.kind == "table" else "arrays"
        raise InvalidSpec(f"{dataset.name} has {what}, and images alone can be augmented", pointer="/augmentation")
    if "tflite_int8" in spec.export and (dataset.kind != "images" or dataset.task == "regression"):
        raise InvalidSpec(f"tflite_int8 is for classes of images, and {dataset.name} has none", pointer="/export")
    if isinstance(spec.model, Layers):
        _check_layers(spec, describe(spec, dataset))
    if dataset.task == "regression":
        _check_regression(spec, dataset)
    else:
        _check_classification(spec, dataset)


def _check_layers(spec: Spec, network: Architecture) -> None:
    """Raise InvalidSpec for a format, or a mode of execution, that one of the network's layers does not have."""
    for node in network.nodes:
        if spec.execution != "auto" and spec.execution not in node.layer.modes:
            able = " or ".join(sorted(network.modes)) or "auto"
            raise InvalidSpec(f"{node.title}, cannot be trained in {spec.execution}; take {able}", pointer="/execution")
        for place, wanted in enumerate(spec.export):
            if wanted not in node.layer.formats:
                able = ", ".join(sorted(network.formats)) or "none"
                raise InvalidSpec(
                    f"{node.title}, cannot leave as {wanted}; the formats of this network are: {able}",
                    pointer=f"/export/{place}",
                )


def _check_classification(spec: Spec, dataset: DatasetInfo) -> None:
    if spec.loss in ("mae", "huber"):
        raise InvalidSpec(f"{spec.loss} is for regression, and {dataset.name} has classes", pointer="/loss")
    if spec.early_stopping and spec.early_stopping.monitor in OF_NUMBERS:
        what = spec.early_stopping.monitor
        raise InvalidSpec(f"{what} is of regression, and {dataset.name} has classes", pointer="/early_stopping/monitor")
    if isinstance(spec.class_weights, dict):
        for name in spec.class_weights:
            if name not in dataset.classes:
                some = ", ".join(dataset.classes[:10]) + (", …" if len(dataset.classes) > 10 else "")
                detail = f"{dataset.name} has no class {name!r}; there are: {some}"
                raise InvalidSpec(detail, pointer="/class_weights")


def _check_regression(spec: Spec, dataset: DatasetInfo) -> None:
    has = f"and {dataset.name} has numbers to tell"
    if spec.loss == "cross_entropy":
        raise InvalidSpec(f"cross_entropy is for classes, {has}: take mse, mae or huber", pointer="/loss")
    if spec.label_smoothing:
        raise InvalidSpec(f"only the labels of classes can be smoothed, {has}", pointer="/label_smoothing")
    if spec.class_weights is not None:
        raise InvalidSpec(f"only classes have weights, {has}", pointer="/class_weights")
    if spec.early_stopping and spec.early_stopping.monitor in OF_CLASSES:
        what = spec.early_stopping.monitor
        raise InvalidSpec(f"{what} is of classes, {has}", pointer="/early_stopping/monitor")
