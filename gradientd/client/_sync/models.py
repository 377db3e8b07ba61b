# Made of gradientd/client/_async/models.py by `make client`: change it there.
"""What a client does with a job's model: list its files, download them, read its card, have it predict."""

import base64
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from gradientd.client._sync.connection import Connection
from gradientd.client._sync.pages import Page, listed
from gradientd.client._sync.runtime import run
from gradientd.client.answers import JobRef, job_id
from gradientd.client.arrival import CHUNK_BYTES, Arrival
from gradientd.client.connection import Progress
from gradientd.client.datasets import Frame, Table, opened
from gradientd.client.errors import Refused, ServerUnreachable
from gradientd.client.instances import by_file_name, plain
from gradientd.client.paths import job_path
from gradientd.client.responses import Document, parse
from jobs.evaluation import ModelCard
from jobs.model_files import ARTIFACT
from jobs.record import Artifact

PICTURES_BYTES = 4 << 20
"""Of pictures in one request, unless a single one is longer."""


class ModelCalls(Connection):
    """The calls about trained models."""

    def artifacts(self, job: JobRef) -> Page[Artifact]:
        """The files that a job has left."""
        return listed(self, f"{job_path(job_id(job))}/artifacts", Artifact)

    def download(
        self,
        job: JobRef,
        name: str,
        to: str | os.PathLike[str] = ".",
        *,
        progress: Progress | None = None,
    ) -> Path:
        """Download a file that a job has left, into a folder or to a path; where it is then. It is there whole, with
        the hash that the server tells, or not at all.

        Raises:
            Refused: the job has left no such file.
            ValueError: none can have this name.
            UnexpectedAnswer: what came is not what the server says it is.
            OSError: it cannot be written.
        """
        if not ARTIFACT.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a file that a job leaves")
        arrival = Arrival(Path(to), name)
        try:
            attempt = 0
            while True:
                try:
                    self._received(arrival, f"{job_path(job_id(job))}/artifacts/{name}", progress)
                    break
                except (ServerUnreachable, Refused) as error:
                    self._pause_before_retry(attempt, error)
                attempt += 1
            return run(arrival.keep)
        finally:
            run(arrival.close)

    def _received(self, arrival: Arrival, path: str, progress: Progress | None) -> None:
        """Have the file arrive, from its beginning."""
        with self._stream(path) as answer:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            run(arrival.begin, sha256=answer.headers.get("ETag", "").strip('"'))
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                received = run(arrival.take, chunk)
                if progress:
                    progress(received, total)

    def card(self, job: JobRef) -> ModelCard:
        """What is to be known of a succeeded job's model: its data, its curve, and what it told of its test examples.

        Raises:
            Refused: the job has not succeeded.
        """
        return parse(self._request("GET", f"{job_path(job_id(job))}/card"), ModelCard)

    def card_page(self, job: JobRef) -> bytes:
        """The same as one HTML page that needs no network."""
        headers = {"Accept": "text/html"}
        return (self._request("GET", f"{job_path(job_id(job))}/card", headers=headers)).content

    def predict(
        self, job: JobRef, instances: Sequence[Mapping[str, Any] | Sequence[Any]] | Frame, *, top: int | None = None
    ) -> list[dict[str, Any]]:
        """What a succeeded job's model says of examples: rows as mappings of columns, as sequences of their values or
        as a pandas frame, images as nested sequences of pixels. A prediction for each: {label, index, probabilities},
        {value} or {values}.

        Raises:
            Refused: they are not of the kind that the model was trained on; `problem.errors` names them.
        """
        if isinstance(instances, Frame):
            return self.predict_rows(job, instances)
        body: dict[str, Any] = {"instances": [plain(instance) for instance in instances]}
        body |= {"top": top} if top is not None else {}
        answer = self._request("POST", f"{job_path(job_id(job))}/predict", json=body)
        return parse(answer, Document).root["predictions"]

    def predict_pictures(
        self, job: JobRef, pictures: Sequence[str | os.PathLike[str] | bytes], *, top: int | None = None
    ) -> list[dict[str, Any]]:
        """The same of pictures: files, or their bytes (PNG, JPEG, WebP, BMP, GIF).

        Raises OSError where a file cannot be read, TypeError for a single picture that is in no list.
        """
        if isinstance(pictures, (str, bytes, os.PathLike)):
            raise TypeError("predict_pictures takes a list of pictures")
        found: list[dict[str, Any]] = []
        batch: list[dict[str, str]] = []
        size = 0
        for picture in pictures:
            content = picture if isinstance(picture, bytes) else run(Path(picture).read_bytes)
            if batch and size + len(content) > PICTURES_BYTES:
                found += self._told_of_pictures(job, batch, pictures[len(found) :], top=top)
                batch, size = [], 0
            batch.append({"b64": base64.b64encode(content).decode()})
            size += len(content)
        return found + (self._told_of_pictures(job, batch, pictures[len(found) :], top=top) if batch else [])

    def _told_of_pictures(
        self,
        job: JobRef,
        batch: list[dict[str, str]],
        pictures: Sequence[str | os.PathLike[str] | bytes],
        *,
        top: int | None,
    ) -> list[dict[str, Any]]:
        """Predictions for some pictures; a refusal names them as they were named here."""
        try:
            return self.predict(job, batch, top=top)
        except Refused as refused:
            if not refused.problem.errors:
                raise
            named = [by_file_name(error, pictures) for error in refused.problem.errors]
            raise Refused(refused.problem.model_copy(update={"errors": tuple(named)})) from refused

    def predict_csv(self, job: JobRef, table: Table) -> str:
        """The same of a table's rows, as CSV: a header, then a line a row."""
        return (self._told_of(job, table, accept="text/csv")).text

    def predict_rows(self, job: JobRef, table: Table) -> list[dict[str, Any]]:
        """The same of a table's rows: a prediction for each."""
        return parse(self._told_of(job, table, accept="application/json"), Document).root["predictions"]

    def _told_of(self, job: JobRef, table: Table, *, accept: str) -> httpx.Response:
        return self._request(
            "POST",
            f"{job_path(job_id(job))}/predict",
            content=partial(opened, table),
            headers={"Content-Type": "text/csv", "Accept": accept},
        )
