# Made of gradientd/client/_async/client.py by `make client`: change it there.
"""A client of the HTTP API: typed answers, typed errors, no state but its connections."""

from gradientd.client._sync.datasets import DatasetCalls
from gradientd.client._sync.history import HistoryCalls
from gradientd.client._sync.jobs import JobCalls
from gradientd.client._sync.models import ModelCalls
from gradientd.client._sync.pages import Page, listed
from gradientd.client._sync.webhooks import SyncWebhookCalls
from gradientd.client._sync.weights import WeightsCalls
from jobs.record import Worker
from jobs.wire import Preset


class Client(JobCalls, HistoryCalls, DatasetCalls, ModelCalls, SyncWebhookCalls, WeightsCalls):
    """What a server can be asked for. Close it, or use it as a context. Made as a `Connection` is."""

    def workers(self) -> Page[Worker]:
        """The live workers."""
        return listed(self, "/v1/workers", Worker)

    def presets(self) -> Page[Preset]:
        """The named starting points for a spec."""
        return listed(self, "/v1/presets", Preset)
