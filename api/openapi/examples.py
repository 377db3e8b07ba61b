"""Worked examples for the documentation: real values, so that they cannot disagree with the schema."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from api.schemas import Health, PredictedClass, PredictionList, Preview, ProblemKind, Readiness, Resolved
from api.series import NAMES, columns
from jobs.automatic import Choice
from jobs.columns import CategoricalColumn, LeftOutColumn, NumericColumn, RowEncoding
from jobs.dataset_versions import DatasetVersion
from jobs.datasets import find
from jobs.estimate import estimate
from jobs.evaluation import (
    Calibration,
    CalibrationBin,
    ClassEvaluation,
    ClassScores,
    Confusion,
    Evaluation,
    Interval,
    ModelCard,
    ShownExample,
    WrongClass,
)
from jobs.presets import PRESETS, resolve
from jobs.record import (
    Artifact,
    Checkpoint,
    Device,
    EpochMetrics,
    Event,
    Job,
    JobError,
    JobState,
    JobSummary,
    Metrics,
    Progress,
    Runtime,
    Transition,
    Worker,
)
from jobs.spec import Augmentation, EarlyStopping, Spec
from jobs.states import Phase, Reason, Status
from jobs.uploaded_weights import NamedArray
from jobs.webhook import Webhook
from jobs.webhook_messages import Attempt, Delivery, delivery_id
from jobs.wire import Dataset, FaultAt, JobEvent, KeptCheckpoint, Preset, Regressand, Upload, UploadReport, Weights

JOB_ID = "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC"
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

JOB_BODY: dict[str, Any] = {
    "required": False,
    "description": "The job wanted. Every field has a default; an empty body is a job as well.",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Spec"},
            "examples": {
                "textbook": {"summary": "The textbook MLP, as it is", "value": {}},
                "preset": {"summary": "A preset, with one value changed", "value": {"preset": "mnist-99", "epochs": 5}},
                "own": {
                    "summary": "A model of one's own",
                    "value": {
                        "dataset": "mnist",
                        "model": {"type": "mlp", "hidden": [512, 256], "dropout": 0.2},
                        "loss": "cross_entropy",
                        "optimizer": {"type": "adamw", "learning_rate": 0.002},
                        "schedule": {"type": "cosine", "warmup_fraction": 0.1},
                        "epochs": 20,
                        "validation_split": 0.1,
                        "early_stopping": {"monitor": "val_accuracy", "patience": 3},
                        "metadata": {"team": "vision"},
                    },
                },
                "webhook": {
                    "summary": "Somebody to be told of its end",
                    "value": {
                        "webhook": {
                            "url": "https://hooks.example.org/training",
                            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                        }
                    },
                },
            },
        }
    },
}

UPLOAD_BODY: dict[str, Any] = {
    "required": True,
    "description": "The file: a CSV with a header, in UTF-8, divided by commas, semicolons or tabs; gzip or not; or "
    "Parquet, where the server has the extra for it. Or an archive (zip, tar, tar.gz) with a folder of pictures for "
    "each class, or with IDX files; or a .npz with `x_train` and `y_train`. What `Content-Type` says does not matter.",
    "content": {
        "text/csv": {
            "schema": {"type": "string", "description": "The table."},
            "example": "age,city,bought\n31,Bern,yes\n27,Basel,no\n45,,no\n29,Bern,yes\n",
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}

WEIGHTS_BODY: dict[str, Any] = {
    "required": True,
    "description": "A `.npz` of arrays named `layer/weight`. What `Content-Type` says does not matter.",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}

PREDICT_BODY: dict[str, Any] = {
    "required": True,
    "description": "The examples, raw as those of training.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["instances"],
                "additionalProperties": False,
                "properties": {
                    "instances": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 100_000,
                        "description": "Examples: rows as objects of columns or lists of their values, images as "
                        "nested lists of pixels or as objects whose `b64` is a picture's file in base64, arrays as "
                        "nested lists of numbers.",
                        "items": {"anyOf": [{"type": "object"}, {"type": "array", "items": {}}]},
                    },
                    "top": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "Only the probabilities of so many classes, the likeliest.",
                    },
                },
            },
            "examples": {
                "row": {"summary": "A row", "value": {"instances": [{"age": 31, "city": "Bern"}]}},
                "rows": {
                    "summary": "Two rows, one with a missing value",
                    "value": {"instances": [[31, "Bern"], [None, "Basel"]]},
                },
            },
        },
        "text/csv": {"schema": {"type": "string"}, "example": "age,city\n31,Bern\n,Basel\n"},
        **{
            f"image/{kind}": {"schema": {"type": "string", "format": "binary"}, "example": "a picture's file"}
            for kind in ("png", "jpeg", "webp", "bmp", "gif")
        },
    },
}

PREDICTED_CSV: dict[str, Any] = {
    "schema": {"type": "string", "description": "A header line, then a line for each row."},
    "example": "label,probability no,probability yes\r\nyes,0.07,0.93\r\n",
}

PICTURES: dict[str, Any] = {
    "image/png": {
        "schema": {"type": "string", "format": "binary", "description": "A grid, each picture above its class."},
        "example": "a PNG",
    }
}

FILE: dict[str, Any] = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}, "example": "the file's bytes"}
}

PARTS: dict[str, Any] = FILE | {
    "multipart/byteranges": {"schema": {"type": "string", "format": "binary"}, "example": "several parts of the file"}
}

EVENT_STREAM: dict[str, Any] = {
    "schema": {"type": "string", "description": "Server-sent events; the data of each is the event as JSON."},
    "example": 'id: 1-4\nevent: metric\ndata: {"id": "1-4", "type": "metric", "data": {"epoch": 1, "loss": 0.31}}\n\n',
}

EVENTS_OF_ALL: dict[str, Any] = {
    "schema": {"type": "string", "description": "Server-sent events; the data of each is the event as JSON."},
    "example": 'id: 1764300000000-0\nevent: metric\ndata: {"id": "1764300000000-0", "type": "metric", '
    '"job_id": "job_01KAV9M3S1Q4T8Z6X2Y7W5R0NC", "data": {"epoch": 1, "loss": 0.31}}\n\n',
}

NUMBERS: dict[str, Any] = {
    "text/plain": {
        "schema": {"type": "string", "description": "Prometheus' text format, version 0.0.4."},
        "example": "# HELP gradientd_jobs Jobs that the store has now, by status.\n# TYPE gradientd_jobs gauge\n"
        'gradientd_jobs{status="queued"} 3.0\ngradientd_jobs{status="running"} 1.0\n',
    }
}

CSV: dict[str, Any] = {
    "schema": {"type": "string", "description": "RFC 4180: a header line, then one line an epoch."},
    "example": "epoch,step,loss,accuracy\r\n1,71,0.0605,0.5912\r\n2,142,0.0351,0.8214\r\n",
}


def _spec() -> Spec:
    wanted = Spec(
        preset="mnist-99",
        validation_split=0.1,
        augmentation=Augmentation(shift_pixels=2),
        early_stopping=EarlyStopping(),
        max_runtime_seconds=3600,
        webhook=Webhook(url="https://hooks.example.org/training"),
        metadata={"team": "vision"},
    )
    return resolve(wanted)


def _epoch(number: int) -> EpochMetrics:
    return EpochMetrics(
        epoch=number,
        step=422 * number,
        loss=0.0621,
        accuracy=0.981,
        val_loss=0.0404,
        val_accuracy=0.9883,
        learning_rate=0.0033,
        seconds=3.1,
        examples_per_second=19_400.0,
    )


def _checkpoint(epoch: int) -> Checkpoint:
    return Checkpoint(
        name=f"checkpoint-1-{422 * epoch}.npz",
        epoch=epoch,
        step=422 * epoch,
        size_bytes=352_104,
        sha256="60303ae22b998861" * 4,
        metrics=_epoch(epoch),
    )


def _job() -> Job:
    spec = _spec()
    return Job(
        id=JOB_ID,
        status=Status.RUNNING,
        status_reason=Reason.WORKER_LOST,
        phase=Phase.TRAINING,
        spec=spec,
        choices=(Choice(field="batch_size", value=32, reason="160 training examples"),),
        progress=Progress(
            percent=66.7,
            epoch=3,
            epochs=3,
            step=850,
            steps=1266,
            steps_per_second=151.0,
            examples_per_second=19_400.0,
            loss=0.051,
            accuracy=0.984,
            estimated_finish_at=AT + timedelta(seconds=12),
        ),
        queue_position=0,
        estimated_start_at=AT + timedelta(seconds=1),
        attempt=1,
        worker="worker-1",
        run=Runtime(
            execution="graph",
            device="/device:GPU:0",
            device_name="NVIDIA H100",
            variables={"dense/kernel": "/device:GPU:0"},
            parameters=29_066,
            non_trainable_parameters=224,
            threads=2,
            memory_growth=True,
            tensorflow="2.21.0",
        ),
        metrics=Metrics(latest=_epoch(2), best=_epoch(2), test_loss=0.0398, test_accuracy=0.9889),
        checkpoint=_checkpoint(3),
        best_checkpoint=_checkpoint(2),
        artifacts=(Artifact(name="weights.npz", size_bytes=117_236, sha256="9f86d081884c7d65" * 4),),
        created_at=AT,
        started_at=AT + timedelta(milliseconds=20),
        finished_at=AT + timedelta(seconds=13),
        last_heartbeat_at=AT + timedelta(seconds=9),
        responding=True,
        transitions=(
            Transition(at=AT, status=Status.QUEUED),
            Transition(at=AT + timedelta(milliseconds=20), status=Status.RUNNING, attempt=1),
        ),
        error=JobError(
            code="non_finite_loss",
            title="Loss or gradients are not finite",
            detail="the loss became nan at step 117; a lower learning rate usually helps",
            step=117,
        ),
        metadata=spec.metadata,
        revision=7,
    )


def _dataset() -> Dataset:
    columns = (
        NumericColumn(name="age", mean=34.5, std=11.2, missing=True),
        CategoricalColumn(name="city", categories=("Basel", "Bern"), missing=False),
        LeftOutColumn(name="bought", reason="target"),
    )
    encoding = RowEncoding(columns=columns)
    fault = FaultAt(row=17, line=18, column="age", found="twelve", wanted="a number, as in the rest of the column")
    report = UploadReport(
        skipped=1,
        faults=(fault,),
        faults_total=1,
        duplicates=3,
        train_test_duplicates=1,
        constant_columns=("country",),
        unique_columns=("customer",),
        class_counts={"no": 120, "yes": 80},
    )
    version = DatasetVersion(
        name="customers",
        version=1,
        sha256="9f86d081884c7d65" * 4,
        options_sha256="",
        kind="table",
        task="classification",
        shape=(encoding.width,),
        dtype="float32",
        classes=("no", "yes"),
        encoding=encoding.model_dump(mode="json"),
        train_examples=160,
        test_examples=40,
        report=report.model_dump(mode="json"),
        size_bytes=11_000,
        stored_bytes=45_000,
        folder="0" * 32,
        created_at=AT,
    )
    return Dataset.of_version(version).model_copy(
        update={"targets": (Regressand(name="price", mean=12.5, std=3.1),), "description": "Who bought."}
    )


def _worker() -> Worker:
    gpu = Device(
        name="/device:GPU:0",
        kind="gpu",
        model="NVIDIA H100",
        memory_growth=True,
        memory_limit_mb=40_960,
        memory_bytes=1_310_720,
        memory_peak_bytes=2_621_440,
    )
    return Worker(
        name="worker-1",
        host="node-7",
        pid=4211,
        devices=(gpu,),
        threads=2,
        tensorflow="2.21.0",
        status="busy",
        job_id=JOB_ID,
        started_at=AT,
        last_heartbeat_at=AT + timedelta(seconds=9),
    )


def _delivery() -> Delivery:
    return Delivery(
        id=delivery_id(JOB_ID, 1),
        type="job.succeeded",
        event_id="1-14",
        status="pending",
        attempts=(Attempt(at=AT + timedelta(seconds=13), status_code=503, error="timed_out", seconds=0.12),),
        next_attempt_at=AT + timedelta(seconds=14),
        created_at=AT + timedelta(seconds=13),
    )


def _card() -> ModelCard:
    job = _job()
    wrong = WrongClass(
        index=1,
        actual="no",
        predicted="yes",
        probability=0.81,
        actual_probability=0.19,
        example=ShownExample(source="row 17", row={"age": 31, "city": "Bern"}),
    )
    scores = ClassEvaluation(
        accuracy=0.5,
        accuracy_interval=Interval(low=0.0945, high=0.9055),
        classes=(
            ClassScores(name="no", examples=1, predicted=0, right=0, precision=0, recall=0, f1=0),
            ClassScores(name="yes", examples=1, predicted=2, right=1, precision=0.5, recall=1, f1=0.6667),
        ),
        confusion_matrix=((0, 1), (0, 1)),
        confusions=(Confusion(actual="no", predicted="yes", count=1),),
        calibration=Calibration(
            bins=(CalibrationBin(low=0.8, high=0.8667, examples=2, probability=0.83, accuracy=0.5),),
            expected_error=0.33,
        ),
        worst=(wrong,),
    )
    return ModelCard(
        job_id=job.id,
        spec=job.spec,
        choices=job.choices,
        run=job.run,
        attempt=1,
        metrics=job.metrics,
        curve=columns(job.id, [_epoch(n).model_dump() for n in (1, 2)], NAMES[:2], points=2),
        evaluation=Evaluation(
            dataset=_dataset(),
            software={"gradientd": "0.1.0", "tensorflow": "2.21.0"},
            test_examples=2,
            classification=scores,
        ),
        created_at=AT,
        started_at=AT + timedelta(seconds=1),
        finished_at=AT + timedelta(seconds=9),
    )


def _weights() -> Weights:
    return Weights(
        name="backbone",
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        size_bytes=402_190,
        stored_bytes=402_190,
        arrays=(
            NamedArray(name="dense_1/kernel", shape=(784, 128), dtype="float32"),
            NamedArray(name="dense_1/bias", shape=(128,), dtype="float32"),
        ),
        created_at=AT,
    )


@cache
def by_schema() -> dict[str, dict[str, Any]]:
    """An example for each published schema, by its name, with every field filled to show what it looks like."""
    spec = _spec()
    epochs = [_epoch(n).model_dump() for n in (1, 2)]
    preset = PRESETS["mnist-99"]
    values = (
        _job(),
        _worker(),
        Event(id="1-4", type="metric", at=AT, data=_epoch(2).model_dump(exclude_none=True)),
        Resolved.of(spec, estimate(spec, find(spec.dataset)), choices=_job().choices),
        KeptCheckpoint(**_checkpoint(2).model_dump(), kind="best"),
        columns(JOB_ID, epochs, NAMES[:2], points=2),
        dataset := _dataset(),
        Upload(id="up_5f0c9a4be1d27386a1b2c3d4e5f60718", status="ready", dataset=dataset),
        Preview(dataset=dataset.id, split="train", data=({"age": 31, "city": "Bern", "bought": "yes"},)),
        PredictionList(
            job_id=JOB_ID,
            predictions=(PredictedClass(label="yes", index=1, probabilities={"no": 0.07, "yes": 0.93}),),
        ),
        _weights(),
        _card(),
        _delivery(),
        Preset.of(preset, resolve(Spec(preset=preset.name))),
        Health(version="0.1.0"),
        Readiness(
            version="0.1.0",
            warnings=("the store's maxmemory-policy is allkeys-lru, so when its memory is full it drops jobs; …",),
        ),
        ProblemKind(
            code="job_not_found",
            type="/problems/job_not_found",
            status=404,
            title="Job not found",
            meaning="No job with this id is stored.",
            remedy="Check the id; final jobs are deleted after the retention time.",
        ),
    )
    found = {type(value).__name__: value.model_dump(mode="json") for value in values}
    for name in ("Job", "Event", "Worker", "Preset", "Dataset", "Weights"):
        key = "id" if name in ("Job", "Event") else "name"
        found[f"{name}Page"] = _page(found[name], found[name][key])
    found["JobSummary"] = JobSummary(
        **_job().model_dump(include=set(JobState.model_fields) - {"object"}), dataset=spec.dataset, preset=spec.preset
    ).model_dump(mode="json")
    found["JobSummaryPage"] = _page(found["JobSummary"], JOB_ID)
    for page in ("JobPage", "JobSummaryPage"):
        found[page]["unreadable"] = [f"{JOB_ID[:-1]}D"]
    found["WebhookDeliveryPage"] = _page(found["Delivery"], found["Delivery"]["id"])
    artifact = found["Job"]["artifacts"][0]
    found["ArtifactPage"] = _page(artifact, artifact["name"])
    found["CheckpointPage"] = _page(found["KeptCheckpoint"], found["KeptCheckpoint"]["name"])
    event = JobEvent(
        id="1764300000000-0", job_id=JOB_ID, job_event_id="1-4", type="metric", at=AT, data=found["Event"]["data"]
    ).model_dump(mode="json")
    found["JobEvent"], found["JobEventPage"] = event, _page(event, event["id"])
    kind = found["ProblemKind"]
    found["ProblemPage"] = _page(kind, kind["code"])
    return found


def _page(item: dict[str, Any], item_id: str) -> dict[str, Any]:
    return {"object": "list", "data": [item], "first_id": item_id, "last_id": item_id, "has_more": False}
