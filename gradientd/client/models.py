"""What a client does with a job's model: list its files, download them, have it predict."""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gradientd.client.connection import Connection, Progress
from gradientd.client.datasets import Table, opened
from gradientd.client.errors import UnexpectedAnswer
from gradientd.client.paths import job_path
from gradientd.client.responses import Document, parse
from jobs.record import Artifact
from jobs.wire import Page


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
            UnexpectedAnswer: what came is not what the server says it is.
            OSError: it cannot be written.
        """
        place = Path(to)
        path = place / name if place.is_dir() else place
        digest = hashlib.sha256()
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file, self._stream(f"{job_path(job_id)}/artifacts/{name}") as answer:
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

    def predict(
        self, job_id: str, instances: Sequence[Mapping[str, Any] | Sequence[Any]], *, top: int | None = None
    ) -> list[dict[str, Any]]:
        """What a succeeded job's model says of examples: rows as mappings of columns or as sequences of their values,
        images as nested sequences of pixels. A prediction for each: {label, index, probabilities}, {value} or {values}.

        Raises:
            Refused: they are not of the kind that the model was trained on; `problem.errors` names them.
        """
        body: dict[str, Any] = {"instances": [_plain(instance) for instance in instances]}
        body |= {"top": top} if top is not None else {}
        answer = self._request("POST", f"{job_path(job_id)}/predict", json=body)
        return parse(answer, Document).root["predictions"]

    def predict_csv(self, job_id: str, table: Table) -> str:
        """The same of a table's rows, as CSV: a header, then a line a row."""
        _, parts = opened(table)
        answer = self._request(
            "POST",
            f"{job_path(job_id)}/predict",
            content=b"".join(parts),
            headers={"Content-Type": "text/csv", "Accept": "text/csv"},
        )
        return answer.text


def _plain(instance: Mapping[str, Any] | Sequence[Any]) -> Any:
    """An example as JSON has it; NumPy's arrays as lists."""
    listed: Any = getattr(instance, "tolist", None)
    if listed:
        return listed()
    return dict(instance) if isinstance(instance, Mapping) else list(instance)
