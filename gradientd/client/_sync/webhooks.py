# Made of gradientd/client/_async/webhooks.py by `make client`: change it there.
"""What a client asks of a job's webhook: what it was told, and to be told again."""

from urllib.parse import quote

from gradientd.client._sync.connection import Connection
from gradientd.client._sync.pages import Page, listed
from gradientd.client.answers import JobRef, job_id
from gradientd.client.paths import job_path
from gradientd.client.responses import parse
from jobs.webhook_messages import Delivery


class SyncWebhookCalls(Connection):
    """The calls about deliveries."""

    def webhook_deliveries(self, job: JobRef, *, after: str | None = None, limit: int = 100) -> Page[Delivery]:
        """What the job's webhook was told or is to be told, oldest first, behind the delivery with the given id."""
        query = [("limit", str(limit))] + ([("after", after)] if after else [])
        return listed(self, f"{job_path(job_id(job))}/webhook-deliveries", Delivery, query)

    def redeliver(self, job: JobRef, delivery: str | Delivery) -> Delivery:
        """Have it told once more, under its old id; one that is pending has its turn at once.

        Raises:
            Refused: the job has no such delivery, or no longer.
        """
        known = delivery if isinstance(delivery, str) else delivery.id
        path = f"{job_path(job_id(job))}/webhook-deliveries/{quote(known, safe='')}/redeliver"
        return parse(self._request("POST", path), Delivery)
