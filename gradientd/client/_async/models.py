"""What a client does with a job's model: list its files, download them, read its card, have it predict."""

import base64
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from gradientd.client._async.connection import AsyncConnection
from gradientd.client._async.pages import AsyncPage, listed
from gradientd.client._async.runtime import run
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


class AsyncModelCalls(AsyncConnection):
    """The calls about trained models."""

    async def artifacts(self, job: JobRef) -> AsyncPage[Artifact]:
        """The files that a job has left."""
        return await listed(self, f"{job_path(job_id(job))}/artifacts", Artifact)

    async def download(
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
                    await self._received(arrival, f"{job_path(job_id(job))}/artifacts/{name}", progress)
                    break
                except (ServerUnreachable, Refused) as error:
                    await self._pause_before_retry(attempt, error)
                attempt += 1
            return await run(arrival.keep)
        finally:
            await run(arrival.close)

    async def _received(self, arrival: Arrival, path: str, progress: Progress | None) -> None:
        """Have the file arrive, from its beginning."""
        async with self._stream(path) as answer:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            await run(arrival.begin, sha256=answer.headers.get("ETag", "").strip('"'))
            async for chunk in answer.aiter_bytes(CHUNK_BYTES):
                received = await run(arrival.take, chunk)
                if progress:
                    progress(received, total)

    async def card(self, job: JobRef) -> ModelCard:
        """What is to be known of a succeeded job's model: its data, its curve, and what it told of its test examples.

        Raises:
            Refused: the job has not succeeded.
        """
        return parse(await self._request("GET", f"{job_path(job_id(job))}/card"), ModelCard)

    async def card_page(self, job: JobRef) -> bytes:
        """The same as one HTML page that needs no network."""
        headers = {"Accept": "text/html"}
        return (await self._request("GET", f"{job_path(job_id(job))}/card", headers=headers)).content

    async def predict(
        self, job: JobRef, instances: Sequence[Mapping[str, Any] | Sequence[Any]] | Frame, *, top: int | None = None
    ) -> list[dict[str, Any]]:
        """What a succeeded job's model says of examples: rows as mappings of columns, as sequences of their values or
        as a pandas frame, images as nested sequences of pixels. A prediction for each: {label, index, probabilities},
        {value} or {values}.

        Raises:
            Refused: they are not of the kind that the model was trained on; `problem.errors` names them.
        """
        if isinstance(instances, Frame):
            return await self.predict_rows(job, instances)
        body: dict[str, Any] = {"instances": [plain(instance) for instance in instances]}
        body |= {"top": top} if top is not None else {}
        answer = await self._request("POST", f"{job_path(job_id(job))}/predict", json=body)
        return parse(answer, Document).root["predictions"]

    async def predict_pictures(
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
            content = picture if isinstance(picture, bytes) else await run(Path(picture).read_bytes)
            if batch and size + len(content) > PICTURES_BYTES:
                found += await self._told_of_pictures(job, batch, pictures[len(found) :], top=top)
                batch, size = [], 0
            batch.append({"b64": base64.b64encode(content).decode()})
            size += len(content)
        return found + (await self._told_of_pictures(job, batch, pictures[len(found) :], top=top) if batch else [])

    async def _told_of_pictures(
        self,
        job: JobRef,
        batch: list[dict[str, str]],
        pictures: Sequence[str | os.PathLike[str] | bytes],
        *,
        top: int | None,
    ) -> list[dict[str, Any]]:
        """Predictions for some pictures; a refusal names them as they were named here."""
        try:
            return await self.predict(job, batch, top=top)
        except Refused as refused:
            if not refused.problem.errors:
                raise
            named = [by_file_name(error, pictures) for error in refused.problem.errors]
            raise Refused(refused.problem.model_copy(update={"errors": tuple(named)})) from refused

    async def predict_csv(self, job: JobRef, table: Table) -> str:
        """The same of a table's rows, as CSV: a header, then a line a row."""
        return (await self._told_of(job, table, accept="text/csv")).text

    async def predict_rows(self, job: JobRef, table: Table) -> list[dict[str, Any]]:
        """The same of a table's rows: a prediction for each."""
        return parse(await self._told_of(job, table, accept="application/json"), Document).root["predictions"]

    async def _told_of(self, job: JobRef, table: Table, *, accept: str) -> httpx.Response:
        return await self._request(
            "POST",
            f"{job_path(job_id(job))}/predict",
            content=partial(opened, table),
            headers={"Content-Type": "text/csv", "Accept": accept},
        )
