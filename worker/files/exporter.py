"""Writes what a job leaves when its training is done: weights, what they are fed, and the formats asked for."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import structlog

from jobs.architecture import describe
from jobs.model_encoding import ModelEncoding
from jobs.model_files import ENCODING, EVALUATION, FILES
from jobs.record import Artifact, Job
from store.artifacts import Artifacts
from store.files import Content, make_folder
from worker.datasets.memory import Dataset
from worker.engine.slot import Outcome
from worker.files.evaluation import evaluation_json
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
        self._scratch = scratch
        self._draining = draining

    def export(self, lease: Lease, dataset: Dataset, outcome: Outcome) -> tuple[Artifact, ...] | StopReason:
        """Write everything, the weights first; what was written, or why it was stopped.

        Waits where the disk is full, unless told to stop: the training for them is done.
        """
        stored: list[Artifact] = []
        for name, make in self._files(lease.job, dataset, outcome):
            written = self._write(lease, name, make)
            if isinstance(written, StopReason):
                return written
            if written:
                stored.append(written)
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
        network = describe(job.spec.model, dataset.info)
        model = keras_model(job.spec, dataset.info, network, outcome.weights)
        for wanted in dict.fromkeys(job.spec.export):

            def make(folder: Path, wanted: str = wanted) -> Written:
                path = write_export(model, dataset, wanted, folder)  # pyright: ignore[reportArgumentType] (one of the formats)
                return path.name, chunks_of_file(path)

            yield wanted, make

    def _write(self, lease: Lease, kind: str, make: Callable[[Path], Written]) -> Artifact | StopReason | None:
        """Make a file and store it; None where it cannot be made: the others, and the job, are not to suffer."""
        while True:
            if stop_reason := lease.check_stop():  # asking also shows that this is no hang
                return stop_reason
            folder: Path | None = None
            try:
                make_folder(self._scratch)
                folder = Path(tempfile.mkdtemp(dir=self._scratch))
                return self._artifacts.write(lease.job.id, *make(folder))
            except OSError as error:
                log.warning("artifact_not_written", artifact=kind, error=str(error))
                self._draining.wait(STORAGE_RETRY_SECONDS)
            except Exception:  # of a library: the weights are there already
                if kind in (WEIGHTS, ENCODING):
                    raise
                log.exception("export_failed", artifact=kind)
                return None
            finally:
                if folder:
                    shutil.rmtree(folder, ignore_errors=True)
