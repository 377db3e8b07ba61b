# Made of gradientd/client/_async/datasets.py by `make client`: change it there.
"""What a client does with datasets: upload, list, look into, delete."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import httpx

from gradientd.client import parameters
from gradientd.client._sync.connection import Connection
from gradientd.client._sync.pages import Page, listed
from gradientd.client._sync.runtime import sleep
from gradientd.client.answers import Dataset, DatasetRef, dataset_name
from gradientd.client.connection import Progress
from gradientd.client.datasets import Table, opened
from gradientd.client.errors import Refused, StillRunning
from gradientd.client.paths import dataset_path
from gradientd.client.responses import Document, parse
from jobs.wire import Upload

ACCEPTED = 202
UPLOAD_SECONDS = 60.0
"""Beside its own patience: how long the server may take to check an upload before it says where to ask again."""
POLL_SECONDS = 1.0


class DatasetCalls(Connection):
    """The calls about datasets."""

    def upload(
        self,
        name: str,
        table: Table,
        *,
        target: str | Sequence[str] = (),
        task: Literal["auto", "classification", "regression"] = "auto",
        ignore: Sequence[str] = (),
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        missing: Sequence[str] = (),
        test_split: float | None = None,
        split_seed: int | None = None,
        on_bad: Literal["refuse", "skip"] = "refuse",
        size: tuple[int, int] | None = None,
        fit: Literal["contain", "cover", "stretch"] | None = None,
        channels: Literal[1, 3, 4] | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
        timeout_seconds: float = 3600.0,
    ) -> Dataset:
        """Upload a table, pictures or arrays; the version that it is. The same upload again is the same version.

        `target` is what is to be told, the last column by default. `size` is the height and width that pictures get,
        `fit` how, `channels` what they are made of. `progress` hears how many bytes are sent.

        Raises:
            Refused: it has faults, which `problem.faults` names; nothing was kept.
            StillRunning: it was not checked within `timeout_seconds`, and goes on.
            OSError: the file cannot be read.
        """
        params = parameters.of_upload(
            target=target,
            task=task,
            ignore=ignore,
            numeric=numeric,
            categorical=categorical,
            missing=missing,
            test_split=test_split,
            split_seed=split_seed,
            on_bad=on_bad,
            size=size,
            fit=fit,
            channels=channels,
            dry_run=dry_run,
        )
        answer = self._request(
            "PUT",
            dataset_path(name),
            content=partial(opened, table),
            progress=progress,
            params=params,
            headers={"Content-Type": "application/octet-stream"},
            wait_seconds=UPLOAD_SECONDS,
        )
        if answer.status_code != ACCEPTED:
            return parse(answer, Dataset)
        return self._checked(parse(answer, Upload), timeout_seconds=timeout_seconds)

    def _checked(self, upload: Upload, *, timeout_seconds: float) -> Dataset:
        deadline = time.monotonic() + timeout_seconds
        while upload.dataset is None and upload.problem is None:
            if time.monotonic() > deadline:
                raise StillRunning(upload.id, status=upload.status, seconds=timeout_seconds)
            sleep(POLL_SECONDS)
            upload = parse(self._request("GET", f"/v1/uploads/{upload.id}"), Upload)
        if upload.dataset is None:
            assert upload.problem
            raise Refused(upload.problem)
        return Dataset.model_validate(upload.dataset, from_attributes=True)

    def datasets(self, *, after: str | None = None, limit: int = 100) -> Page[Dataset]:
        """The datasets that a spec can name, the built-in ones first; without their columns and reports."""
        query = [("limit", str(limit))] + ([("after", after)] if after else [])
        return listed(self, "/v1/datasets", Dataset, query)

    def dataset(self, name: DatasetRef) -> Dataset:
        """All of a dataset's newest version, or of the one that `name@version` names."""
        return parse(self._request("GET", dataset_path(dataset_name(name))), Dataset)

    def dataset_versions(self, name: str) -> Page[Dataset]:
        """All versions of a dataset, the oldest first."""
        return listed(self, f"{dataset_path(name)}/versions", Dataset)

    def preview(
        self, name: DatasetRef, *, split: Literal["train", "val", "test"] = "train", limit: int = 10
    ) -> tuple[dict[str, Any], ...]:
        """The first rows of a part of a dataset, as a prediction takes them, with their targets."""
        return tuple(parse(self._preview(name, split=split, limit=limit), Document).root["data"])

    def preview_png(
        self, name: DatasetRef, *, split: Literal["train", "val", "test"] = "train", limit: int = 10
    ) -> bytes:
        """The first pictures of a part of a dataset, each above its class, as a PNG."""
        return (self._preview(name, split=split, limit=limit)).content

    def _preview(self, name: DatasetRef, *, split: str, limit: int) -> httpx.Response:
        bare, _, version = dataset_name(name).partition("@")
        params = {"split": split, "limit": str(limit)} | ({"version": version} if version else {})
        return self._request("GET", f"{dataset_path(bare)}/preview", params=params)

    def delete_dataset(self, name: DatasetRef) -> None:
        """Delete a dataset for good, or the version that `name@version` names.

        Raises:
            Refused: a job that has not ended needs it.
        """
        self._request("DELETE", dataset_path(dataset_name(name)))
