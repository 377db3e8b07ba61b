"""Writes what a job leaves when its training is done: weights, what they are fed, and the formats asked for."""

import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import keras
import structlog

from jobs.architecture import describe
from jobs.model_encoding import ModelEncoding
from jobs.model_files import ENCODING, EVALUATION, FILES
from jobs.record import Artifact, Job
from jobs.spec import Spec
from store.artifacts import Artifacts
from store.files import Content
from store.scratch import Scratch
from worker.datasets.memory import Dataset
from worker.engine.slot import Outcome
from worker.files.evaluation import evaluation_json
from worker.files.export_times import ExportTimes
from worker.files.exports import chunks_of_file, weights_npz, write_export
from worker.files.keras_model import keras_model
from worker.lease.lease import Lease, StopReason

log = structlog.get_logger(__name__)

STORAGE_RETRY_SECONDS = 2.0
"""Wait before a file is written again to a disk that refused it."""

WEIGHTS = FILES["weights"]

Written = tuple[str, Content]


class Exporter:
    """Writes to the jobs' artifacts, by way of a scratch folder."""

    def __init__(self, artifacts: Artifacts, *, scratch: Path, draining: threading.Event) -> None:
        self._artifacts = artifacts
        self._scratch = Scratch(scratch)
        self._draining = draining
        self._times = ExportTimes()

    def expected_seconds(self, spec: Spec, *, weight_bytes: int) -> float:
        """How long writing everything should take."""
        return self._times.expected_seconds(_kinds(spec), weight_bytes=weight_bytes)

    def export(self, lease: Lease, dataset: Dataset, outcome: Outcome) -> tuple[Artifact, ...] | StopReason:
        """Write everything, the weights first; what was written, or why it was stopped.

        Waits where the disk is full, unless told to stop: the training for them is done.
        """
        with suppress(OSError):
            self._scratch.sweep()  # of trainers that were killed amid this
        stored: list[Artifact] = []
        began = time.perf_counter()
        left, weight_bytes = list(_kinds(lease.job.spec)), sum(weight.nbytes for weight in outcome.weights.values())
        for kind, make in self._files(lease.job, dataset, outcome):
            lease.remaining(self._times.expected_seconds(left, weight_bytes=weight_bytes))
            file_began = time.perf_counter()
            written = self._write(lease, kind, make)
            if isinstance(written, StopReason):
                return written
            left.remove(kind)
            if written:
                stored.append(written)
                self._times.took(kind, time.perf_counter() - file_began, weight_bytes=weight_bytes)
        files = ", ".join(f"{file.name} ({_size(file.size_bytes)})" for file in stored)
        lease.log("info", f"wrote {files} in {time.perf_counter() - began:.1f} s")
        return tuple(stored)

    def _files(self, job: Job, dataset: Dataset, outcome: Outcome) -> Iterator[tuple[str, Callable[[Path], Written]]]:
        """Each file's kind, and what makes it in a folder."""
        yield WEIGHTS, lambda _: (WEIGHTS, weights_npz(outcome.weights))
        encoding = dataset.encoding or ModelEncoding.of(dataset.info)
        yield ENCODING, lambda _: (ENCODING, encoding.model_dump_json().encode())
        evaluate = cache(outcome.evaluate)  # once, however often a disk refuses what comes of it
        yield EVALUATION, lambda _: (EVALUATION, evaluation_json(evaluate(), dataset))
        if not job.spec.export:
            return
        network = describe(job.spec, dataset.info)

        @cache
        def model() -> keras.Model:
            return keras_model(job.spec, dataset.info, network, outcome.weights, encoding=encoding.arrays)

        for wanted in dict.fromkeys(job.spec.export):

            def make(folder: Path, wanted: str = wanted) -> Written:
                path = write_export(model(), dataset, wanted, folder)  # pyright: ignore[reportArgumentType] (one of the formats)
                return path.name, chunks_of_file(path)

            yield wanted, make

    def _write(self, lease: Lease, kind: str, make: Callable[[Path], Written]) -> Artifact | StopReason | None:
        """Make a file and store it; None where it cannot be made: the others, and the job, are not to suffer."""
        refused = False
        while True:
            if stop_reason := lease.check_stop():  # asking also shows that this is no hang
                return stop_reason
            try:
                with self._scratch.folder() as folder, _temporary_files_in(folder):
                    return self._artifacts.write(lease.job.id, *make(folder))
            except OSError as error:
                log.warning("artifact_not_written", artifact=kind, error=str(error))
                if not refused:
                    lease.log(
                        "warning", f"the disk does not take {kind} ({error.strerror or 'I/O error'}): trying again"
                    )
                refused = True
                self._draining.wait(STORAGE_RETRY_SECONDS)
            except Exception as error:  # of a library: the weights are there already
                if kind in (WEIGHTS, ENCODING):
                    raise
                log.exception("export_failed", artifact=kind)
                lease.log("warning", f"{kind} was left out, as it cannot be made: {type(error).__name__}")
                return None


@contextmanager
def _temporary_files_in(folder: Path) -> Generator[None]:
    """Let libraries put their temporary files there. TensorFlow deletes what AutoGraph writes only when the interpreter
    ends, which the process of a pool never does.
    """
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _kinds(spec: Spec) -> tuple[str, ...]:
    """What is written for a job, each once, in this order."""
    return WEIGHTS, ENCODING, EVALUATION, *dict.fromkeys(spec.export)


def _size(length: int) -> str:
    """`0.9 MB`."""
    return f"{length / 1e6:.1f} MB" if length >= 100_000 else f"{length / 1e3:.1f} kB"
