"""Reads what the scripts answer: flat replies of Redis become records."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from jobs.automatic import Choice
from jobs.errors import UnreadableRecord
from jobs.record import (
    Artifact,
    Checkpoint,
    EpochMetrics,
    Event,
    InitialWeights,
    Job,
    JobError,
    JobSummary,
    Metrics,
    Progress,
    Runtime,
    Transition,
)
from jobs.spec import Spec
from jobs.states import HELD, Phase, Reason, Status

FORMAT = 1
"""Version of the records that are written. A record without one is older; fields may be added under the same number."""

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_RENAMED = {'"images_per_second":': '"examples_per_second":'}
"""What records of older versions call otherwise. Such JSON holds no text of a user."""


def current_names(text: str) -> str:
    """Measured JSON with the names of this version."""
    for old, new in _RENAMED.items():
        text = text.replace(old, new)
    return text


def stored(model: type[M], text: str) -> M:
    """The value that stored JSON holds. Fields that a newer version added are left out. Raises ValueError."""
    return model.model_validate_json(text, extra="ignore")


def brief(error: Exception) -> str:
    """What is wrong with a record, on one line."""
    return " ".join(str(error).split())[:300]


def instant(milliseconds: str | int) -> datetime:
    """The UTC time so many milliseconds after 1970."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, tz=UTC)


def order_bounds(after: datetime | None, before: datetime | None) -> tuple[str, str]:
    """Lowest and highest order (microseconds since 1970) of jobs created strictly between two times."""

    def microseconds(at: datetime) -> int:
        return round(at.timestamp() * 1_000_000)

    # `created_at` is shown in milliseconds: a job shown at the bound itself lies outside it.
    low = str((microseconds(after) // 1000 + 1) * 1000) if after else "-inf"
    high = f"({microseconds(before) // 1000 * 1000}" if before else "+inf"
    return low, high


def record(reply: Any) -> dict[str, str]:
    """The hash within a snapshot (position, clock, [name, value, …])."""
    flat = reply[2]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def job(reply: Any, *, lease_seconds: float) -> Job:
    """The job within a snapshot. Raises UnreadableRecord."""
    return _read(reply, _job, lease_seconds=lease_seconds)


def summary(reply: Any, *, lease_seconds: float) -> JobSummary:
    """The job within a snapshot, in brief. Raises UnreadableRecord."""
    return _read(reply, _summary, lease_seconds=lease_seconds)


@dataclass(frozen=True, slots=True)
class _Moment:
    """What a snapshot tells beside the record."""

    position: int
    now_ms: int
    start_at: str
    lease_seconds: float


def _read(reply: Any, read: Callable[[dict[str, str], _Moment], T], *, lease_seconds: float) -> T:
    fields = record(reply)
    job_id = fields.get("id", "")
    try:
        if (written := int(fields.get("format", "0"))) > FORMAT:
            raise UnreadableRecord(job_id, f"it has format {written}, known are those up to {FORMAT}")
        return read(fields, _Moment(int(reply[0]), int(reply[1]), reply[4], lease_seconds))
    except KeyError as error:
        raise UnreadableRecord(job_id, f"it has no {error}") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UnreadableRecord(job_id, brief(error)) from error


def _job(fields: dict[str, str], moment: _Moment) -> Job:
    spec = stored(Spec, fields["spec"])
    return Job(
        **_state(fields, moment),
        spec=spec,
        choices=choices(fields.get("choices")),
        initial_weights=initial_weights(fields.get("initial_weights")),
        run=stored(Runtime, fields["run"]) if "run" in fields else None,
        checkpoint=checkpoint(fields.get("checkpoint")),
        best_checkpoint=checkpoint(fields.get("best_checkpoint")),
        artifacts=tuple(
            Artifact.model_validate(row, extra="ignore") for row in json.loads(fields.get("artifacts", "[]"))
        ),
        transitions=tuple(_transition(json.loads(line)) for line in fields["transitions"].splitlines()),
        transitions_omitted=int(fields.get("transitions_omitted", 0)),
        error=stored(JobError, fields["error"]) if "error" in fields else None,
        metadata=spec.metadata,
    )


def _summary(fields: dict[str, str], moment: _Moment) -> JobSummary:
    spec = json.loads(fields["spec"])
    return JobSummary(
        **_state(fields, moment), dataset=spec["dataset"], preset=spec.get("preset"), metadata=spec["metadata"]
    )


def _state(fields: dict[str, str], moment: _Moment) -> dict[str, Any]:
    """How a job stands: what `Job` and `JobSummary` have in common, but for what its spec says."""
    status = Status(fields["status"])
    beat = fields.get("last_heartbeat_at")
    return {
        "id": fields["id"],
        "status": status,
        "status_reason": reason(fields["reason"]),
        "phase": Phase(fields["phase"]) if fields.get("phase") in _PHASES else None,
        "progress": _progress(fields, status),
        "queue_position": moment.position if status is Status.QUEUED else None,
        "estimated_start_at": _instant_or_none(moment.start_at),
        "attempt": int(fields["attempt"]),
        "worker": fields.get("worker"),
        "metrics": _metrics(fields),
        "created_at": instant(fields["created_at"]),
        "started_at": _instant_or_none(fields.get("started_at")),
        "finished_at": _instant_or_none(fields.get("finished_at")),
        "last_heartbeat_at": _instant_or_none(beat),
        "responding": _responding(status, beat, now_ms=moment.now_ms, lease_seconds=moment.lease_seconds),
        "revision": int(fields["revision"]),
    }


def version(known: Job) -> str:
    """Names the record that a job was read from: what changes it without a new revision is its heartbeat alone."""
    beat = known.last_heartbeat_at
    return f"{known.revision}.{_milliseconds(beat) if beat else ''}"


def known_still(known: Job, reply: Any, *, lease_seconds: float) -> Job:
    """The job whose record is as it was, but for what changes by itself (position, clock, start)."""
    position, now_ms, start_at = int(reply[0]), int(reply[1]), _instant_or_none(reply[2])
    beat = known.last_heartbeat_at and _milliseconds(known.last_heartbeat_at)
    now = {
        "queue_position": position if known.status is Status.QUEUED else None,
        "estimated_start_at": start_at,
        "responding": _responding(known.status, beat, now_ms=now_ms, lease_seconds=lease_seconds),
    }
    if all(getattr(known, name) == value for name, value in now.items()):
        return known
    return known.model_copy(update=now)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _responding(status: Status, beat: int | str | None, *, now_ms: int, lease_seconds: float) -> bool | None:
    """Whether the worker that holds a job spoke within the last lease; `beat` is when, in ms."""
    return abs(now_ms - int(beat)) < lease_seconds * 1000 if beat and status in HELD else None


def newborn(
    answer: dict[str, Any],
    *,
    spec: Spec,
    progress: Progress,
    choices: tuple[Choice, ...] = (),
    initial_weights: InitialWeights | None = None,
) -> Job:
    """The job as it was at the moment it was accepted, from the create script's answer."""
    return Job(
        id=answer["id"],
        status=Status.QUEUED,
        spec=spec,
        choices=choices,
        initial_weights=initial_weights,
        progress=progress,
        queue_position=answer["position"],
        estimated_start_at=_instant_or_none(answer.get("start_at")),
        created_at=instant(answer["at"]),
        transitions=(Transition(at=instant(answer["at"]), status=Status.QUEUED),),
        metadata=spec.metadata,
        revision=1,
    )


def event(row: Any) -> Event:
    """One entry of the stream (id, [name, value, …])."""
    event_id, flat = row
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    data = json.loads(current_names(fields["data"]))
    if fields["type"] == "status":
        data = _transition(data).model_dump(mode="json")
    return Event(id=event_id, type=fields["type"], at=instant(fields["at"]), data=data)


def choices(text: str | None) -> tuple[Choice, ...]:
    """What the data decided of a spec."""
    return tuple(Choice.model_validate(row, extra="ignore") for row in json.loads(text or "[]"))


def initial_weights(text: str | None) -> InitialWeights | None:
    """With what a job begins, if it is not drawn."""
    return stored(InitialWeights, text) if text else None


def checkpoint(text: str | None) -> Checkpoint | None:
    """The checkpoint in a job's field or a script's answer, if there is one."""
    return stored(Checkpoint, current_names(text)) if text else None


def _progress(fields: dict[str, str], status: Status) -> Progress:
    """How far a job is; when it should be done, only while it runs."""
    progress = stored(Progress, current_names(fields["progress"]))
    # Workers of older versions told the instant itself, by their own clocks.
    finish_at = progress.estimated_finish_at or _instant_or_none(fields.get("finish_at"))
    estimated = finish_at if status is Status.RUNNING else None
    return progress.model_copy(update={"estimated_finish_at": estimated})


def _metrics(fields: dict[str, str]) -> Metrics:
    test = stored(Metrics, fields.get("test", "{}"))
    return test.model_copy(update={"latest": _epoch(fields.get("latest")), "best": _epoch(fields.get("best"))})


def _epoch(text: str | None) -> EpochMetrics | None:
    return stored(EpochMetrics, current_names(text)) if text else None


def _transition(data: dict[str, Any]) -> Transition:
    return Transition(
        at=instant(data["at"]), status=Status(data["status"]), reason=reason(data["reason"]), attempt=data["attempt"]
    )


_PHASES, _REASONS = frozenset(Phase), frozenset(Reason)


def reason(text: str) -> Reason | None:
    """The reason in a record, if there is one."""
    # One that a newer version gave is none that this one could explain.
    return Reason(text) if text in _REASONS else None


def _instant_or_none(text: str | None) -> datetime | None:
    return instant(text) if text else None
