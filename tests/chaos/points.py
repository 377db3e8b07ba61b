"""Named moments inside the API's and the trainer's processes, at which the harness can have something happen.

A process that reaches a point looks for an order in `$CHAOS_DIR/armed/<point>`. Whoever takes the order says so in
`$CHAOS_DIR/fired/<token>`, with its pid and job, and carries it out. An order is one line:
`kill TOKEN`, `stop TOKEN` or `sleep TOKEN SECONDS`.

The product knows nothing of this: `in_api` and `in_trainer` wrap its methods in the processes of this suite only.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

API_POINTS = ("bell",)
"""After a job was created and before its bell is rung."""

UPLOAD_POINTS = (
    "received",  # the upload is on the disk whole, and nobody has looked at it
    "checking",
    "checked",  # its arrays are written, and not yet kept
    "kept",  # they are, and no version names them
    "published",  # one does, and nobody was told
)
"""In the API's process."""

TRAINER_POINTS = (
    "import",  # TensorFlow is half imported
    "claimed",  # the job is claimed, its record not yet touched
    "tracing",
    "epoch",  # between two chunks
    "checkpoint",  # a checkpoint's bytes are written, its name is not
    "checkpointed",  # its name is there, the store does not know of it
    "export",  # the same for the final weights
    "exported",
    "finish",  # the claim's last word is about to be sent
    "requeue",
    "finished",  # and was answered
)
SPEECH = "speech"
"""In the thread that keeps the lease, before it speaks."""

_FOLDER = os.environ.get("CHAOS_DIR", "")
_MUTATION = os.environ.get("CHAOS_MUTATION", "")
_job: dict[str, str] = {}
"""The job that this trainer has in hand, under `id`."""


def reach(point: str) -> None:
    """Carry out the order for this point, if there is one."""
    order = Path(_FOLDER, "armed", point)
    mine = order.with_name(f".{point}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        order.rename(mine)
        verb, token, *words = mine.read_text().split()
    except OSError:
        return
    with suppress(OSError):  # the disk may be full, on purpose
        note = Path(_FOLDER, "fired", f".{token}")
        note.write_text(f"{os.getpid()} {_job.get('id', '-')}")
        note.rename(note.with_name(token))
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif verb == "sleep":
        time.sleep(float(words[0]))


def before(owner: type, name: str, point: str) -> None:
    """Reach the point whenever the method is called."""
    original: Callable[..., Any] = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        reach(point)
        return original(*args, **kwargs)

    setattr(owner, name, wrapped)


def after(owner: type, name: str, point: str) -> None:
    """Reach the point whenever the method has returned."""
    original: Callable[..., Any] = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        reach(point)
        return result

    setattr(owner, name, wrapped)


def in_api() -> None:
    """Put the points of an API process in."""
    from api.background.doorbell_sender import DoorbellSender
    from api.uploads.checker import Checker
    from api.uploads.intake import Intake
    from store.dataset_files import DatasetFiles

    mutate()
    before(DoorbellSender, "ring", "bell")
    before(Intake, "finish", "received")
    before(Checker, "_ask", "checking")
    before(DatasetFiles, "keep", "checked")
    after(DatasetFiles, "keep", "kept")
    before(Intake, "_cleared", "published")


def during_import() -> None:
    """Put in the point amid TensorFlow's import; the others can only follow it."""
    mutate()
    sys.meta_path.insert(0, _Midway())


class _Midway:
    """An importer that imports nothing: it only sees a module's name pass that comes midway."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "tensorflow.python.framework.function_def_to_graph":
            reach("import")


def in_trainer() -> None:
    """Put the points of a trainer's process in. Imports TensorFlow."""
    from store.jobs import Store
    from worker.engine.train import Training
    from worker.lease.lease import Lease
    from worker.trainer import Trainer

    _know_the_job(Trainer)
    before(Training, "_trace", "tracing")
    before(Training, "_train_chunk", "epoch")
    _do_what_the_job_says(Training)
    _around_renames()
    before(Store, "finish", "finish")
    before(Store, "requeue", "requeue")
    after(Lease, "until_done", "finished")
    for name in ("beat", "report"):
        before(Store, name, SPEECH)


def _know_the_job(trainer: Any) -> None:
    original = trainer._see_through

    def see_through(self: Any, claim: Any) -> None:
        _job["id"] = claim.job.id
        reach("claimed")
        try:
            original(self, claim)
        finally:
            _job.clear()

    trainer._see_through = see_through


def _do_what_the_job_says(training: Any) -> None:
    """A job whose metadata says `chaos: kill` kills its process in every attempt; `chaos: hang` never ends a step."""
    original = training._train_chunk

    def train_chunk(self: Any, slot: Any) -> None:
        order = slot.spec.metadata.get("chaos")
        if order == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        while order == "hang":
            time.sleep(1)
        original(self, slot)

    training._train_chunk = train_chunk


def _around_renames() -> None:
    original = Path.replace

    def renamed(self: Path, target: Any) -> Path:
        name = Path(target).name
        points = {"checkpoint": ("checkpoint", "checkpointed"), "weights": ("export", "exported")}
        first, second = points.get(name.partition(".")[0].partition("-")[0], ("", ""))
        if first:
            reach(first)
        result = original(self, target)
        if second:
            reach(second)
        return result

    Path.replace = renamed  # pyright: ignore[reportAttributeAccessIssue]


# --- mutations: what the suite must notice -----------------------------------------------------------

MUTATIONS = {
    "fence": ("report", "return HELD[field(id, 'status')] and field(id, 'fence') == fence", "return true"),
    "reconciler": ("upkeep", "due[#due + 1] = missing", "due[#due + 1] = 0"),
}
"""A script that has it, its text, and what stands there instead, in all of them: no check of the fence; no bell is ever
found missing."""


def mutate() -> None:
    """Damage this process' scripts as `CHAOS_MUTATION` says."""
    if not _MUTATION:
        return
    import hashlib

    import store.calls

    carrier, text, instead = MUTATIONS[_MUTATION]
    load = store.calls.load

    def damaged(name: str) -> Any:
        script = load(name)
        source = script.source.replace(text, instead)
        return replace(script, source=source, sha=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())

    assert text in load(carrier).source, f"the text to damage is gone from the scripts: {text}"
    store.calls.load = damaged  # pyright: ignore[reportAttributeAccessIssue]
