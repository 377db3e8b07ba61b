"""A client of the HTTP API: typed answers, typed errors, no state but its connections."""

from gradientd.client._async.datasets import AsyncDatasetCalls
from gradientd.client._async.history import AsyncHistoryCalls
from gradientd.client._async.jobs import AsyncJobCalls
from gradientd.client._async.models import AsyncModelCalls
from gradientd.client._async.pages import AsyncPage, listed
from gradientd.client._async.webhooks import AsyncWebhookCalls
from gradientd.client._async.weights import AsyncWeightsCalls
from jobs.record import Worker
from jobs.wire import Preset


class AsyncClient(
    AsyncJobCalls, AsyncHistoryCalls, AsyncDatasetCalls, AsyncModelCalls, AsyncWebhookCalls, AsyncWeightsCalls
):
    """What a server can be asked for. Close it, or use it as a context. Made as a `Connection` is."""

    async def workers(self) -> AsyncPage[Worker]:
        """The live workers."""
        return await listed(self, "/v1/workers", Worker)

    async def presets(self) -> AsyncPage[Preset]:
        """The named starting points for a spec."""
        return await listed(self, "/v1/presets", Preset)
