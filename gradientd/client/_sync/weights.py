# Made of gradientd/client/_async/weights.py by `make client`: change it there.
"""What a client does with weights that jobs begin with: upload, list, delete."""

from functools import partial

from gradientd.client._sync.connection import Connection
from gradientd.client._sync.pages import Page, listed
from gradientd.client.connection import Progress
from gradientd.client.datasets import NamedArrays, opened_arrays
from gradientd.client.paths import weights_path
from gradientd.client.responses import parse
from jobs.wire import Weights

CHECK_SECONDS = 600.0
"""How long the server may take to check an upload."""


class WeightsCalls(Connection):
    """The calls about uploaded weights."""

    def upload_weights(self, name: str, arrays: NamedArrays, *, progress: Progress | None = None) -> Weights:
        """Upload weights, in place of what has the name: the path or the bytes of a `.npz`, or arrays by their names,
        `layer/weight`. A spec's `init_from` names them `weights:NAME`. `progress` hears how many bytes are sent.

        Raises:
            Refused: they are no finite floating-point arrays; nothing was kept.
            OSError: the file cannot be read.
        """
        answer = self._request(
            "PUT",
            weights_path(name),
            content=partial(opened_arrays, arrays),
            progress=progress,
            headers={"Content-Type": "application/octet-stream"},
            wait_seconds=CHECK_SECONDS,
        )
        return parse(answer, Weights)

    def weights(self, *, after: str | None = None, limit: int = 100) -> Page[Weights]:
        """The uploaded weights, by name, without their arrays."""
        query = [("limit", str(limit))] + ([("after", after)] if after else [])
        return listed(self, "/v1/weights", Weights, query)

    def delete_weights(self, name: str) -> None:
        """Delete uploaded weights for good. Jobs that were accepted with them have their copy.

        Raises:
            Refused: there are none of this name.
        """
        self._request("DELETE", weights_path(name))
