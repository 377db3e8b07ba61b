"""What a client does with a job's model: list its files, download them, read its card, have it predict."""

import base64
import errno
import hashlib
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx

from gradientd.client.connection import Connection, Progress
from gradientd.client.datasets import Frame, Table, opened
from gradientd.client.errors import Refused, UnexpectedAnswer
from gradientd.client.paths import job_path
from gradientd.client.responses import Document, parse
from jobs.evaluation import ModelCard
from jobs.model_files import ARTIFACT
from jobs.record import Artifact
from jobs.wire import FieldError, Page

PICTURES_BYTES = 4 << 20
"""Of pictures in one request, unless a single one is longer."""


class ModelCalls(Connection):
    """The calls about trained models."""

    def artifacts(self, job_id: str) -> Page[Artifact]:
        """The files that a job has left."""
        return parse(self._request("GET", f"{job_path(job_id)}/artifacts"), Page[Artifact])

    def download(
        self,
        job_id: str,
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
        place = Path(to)
        path = place / name if place.is_dir() else place
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
        digest = hashlib.sha256()
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with (
                os.fdopen(handle, "wb") as file,
                self._stream(f"{job_path(job_id)}/artifacts/{name}") as answer,
            ):
                declared = answer.headers.get("Content-Length", "")
                for chunk in answer.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
                    if progress:
                        progress(file.tell(), int(declared) if declared.isdigit() else None)
            if digest.hexdigest() != answer.headers.get("ETag", "").strip('"'):
                raise UnexpectedAnswer(f"{name} of {job_id} did not arrive as the server has it")
            os.chmod(temporary, 0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path

    def card(self, job_id: str) -> ModelCard:
        """What is to be known of a succeeded job's model: its data, its curve, and what it told of its test examples.

        Raises:
            Refused: the job has not succeeded.
        """
        return parse(self._request("GET", f"{job_path(job_id)}/card"), ModelCard)

    def card_page(self, job_id: str) -> bytes:
        """The same as one HTML page that needs no network."""
        return self._request("GET", f"{job_path(job_id)}/card", headers={"Accept": "text/html"}).content

    def predict(
        self, job_id: str, instances: Sequence[Mapping[str, Any] | Sequence[Any]] | Frame, *, top: int | None = None
    ) -> list[dict[str, Any]]:
        """What a succeeded job's model says of examples: rows as mappings of columns, as sequences of their values or
        as a pandas frame, images as nested sequences of pixels. A prediction for each: {label, index, probabilities},
        {value} or {values}.

        Raises:
            Refused: they are not of the kind that the model was trained on; `problem.errors` names them.
        """
        if isinstance(instances, Frame):
            return self.predict_rows(job_id, instances)
        body: dict[str, Any] = {"instances": [_plain(instance) for instance in instances]}
        body |= {"top": top} if top is not None else {}
        answer = self._request("POST", f"{job_path(job_id)}/predict", json=body)
        return parse(answer, Document).root["predictions"]

    def predict_pictures(
        self, job_id: str, pictures: Sequence[str | os.PathLike[str] | bytes], *, top: int | None = None
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
            content = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
            if batch and size + len(content) > PICTURES_BYTES:
                found += self._told_of_pictures(job_id, batch, pictures[len(found) :], top=top)
                batch, size = [], 0
            batch.append({"b64": base64.b64encode(content).decode()})
            size += len(content)
        return found + (self._told_of_pictures(job_id, batch, pictures[len(found) :], top=top) if batch else [])

    def _told_of_pictures(
        self,
        job_id: str,
        batch: list[dict[str, str]],
        pictures: Sequence[str | os.PathLike[str] | bytes],
        *,
        top: int | None,
    ) -> list[dict[str, Any]]:
        """Predictions for some pictures; a refusal names them as they were named here."""
        try:
            return self.predict(job_id, batch, top=top)
        except Refused as refused:
            named = [_by_name(error, pictures) for error in refused.problem.errors]
            raise Refused(refused.problem.model_copy(update={"errors": tuple(named)})) from refused

    def predict_csv(self, job_id: str, table: Table) -> str:
        """The same of a table's rows, as CSV: a header, then a line a row."""
        return self._told_of(job_id, table, accept="text/csv").text

    def predict_rows(self, job_id: str, table: Table) -> list[dict[str, Any]]:
        """The same of a table's rows: a prediction for each."""
        return parse(self._told_of(job_id, table, accept="application/json"), Document).root["predictions"]

    def _told_of(self, job_id: str, table: Table, *, accept: str) -> httpx.Response:
        _, parts = opened(table)
        return self._request(
            "POST",
            f"{job_path(job_id)}/predict",
            content=b"".join(parts),
            headers={"Content-Type": "text/csv", "Accept": accept},
        )


def _by_name(error: FieldError, pictures: Sequence[str | os.PathLike[str] | bytes]) -> FieldError:
    """What is wrong with a picture, by its file's name where it has one."""
    place = (error.pointer or "").removeprefix("/instances/")
    picture = pictures[int(place)] if place.isdigit() and int(place) < len(pictures) else b""
    if isinstance(picture, bytes):
        return error
    return error.model_copy(update={"detail": f"{os.fspath(picture)}: {error.detail}"})


def _plain(value: Any) -> Any:
    """An example as JSON has it: NumPy's arrays and numbers as lists and Python's own, NaN as null."""
    listed: Any = getattr(value, "tolist", None)
    if listed:
        value = listed()
    if isinstance(value, Mapping):
        return {name: _plain(cell) for name, cell in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(cell) for cell in cast("Sequence[Any]", value)]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
