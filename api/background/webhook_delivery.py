"""Delivers what webhooks have to be told, beside answering requests: every API process takes part."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import structlog

from api.webhooks.sender import TOTAL_SECONDS, Answer, Send
from jobs.errors import StoreUnavailable
from jobs.webhook_messages import JITTER, WAITS, Attempt, lifetime_seconds
from store.calls import Do
from store.webhooks import Claimed, Outcome, Webhooks

MOST_AT_ONCE = 64
MOST_PER_HOST = 4
MOST_PER_OWNER = 16
"""Requests under way in this process: in all, to one host, of one owner's jobs. A receiver that hangs delays itself."""
POLL_SECONDS = 0.5
"""How often due deliveries are looked for."""
HOLD_SECONDS = 2 * TOTAL_SECONDS
"""How long a delivery is this process's own. If it dies meanwhile another one makes the delivery after that."""
AWAY_SECONDS = 0.5
"""Wait before a store that was away is asked again."""
PATIENCE_SECONDS = 3.0
"""How long the end of the process waits for requests under way."""

log = structlog.get_logger(__name__)


class WebhookDelivery:
    """Claims deliveries and makes them, so many at once."""

    def __init__(self, webhooks: Webhooks, *, do: Do, send: Send) -> None:
        self._webhooks = webhooks
        self._do = do
        self._send = send
        self._under_way: dict[asyncio.Task[None], Claimed] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._woken.clear()
            try:
                claimed = await self._do(self._claim()) if len(self._under_way) < MOST_AT_ONCE else ()
            except StoreUnavailable:  # upkeep tells of it
                await asyncio.sleep(AWAY_SECONDS)
                continue
            for each in claimed:
                task = asyncio.create_task(self._deliver(each), name=f"webhook-{each.id}")
                self._under_way[task] = each
                task.add_done_callback(self._on_end)
            await self._wait(POLL_SECONDS)

    async def aclose(self) -> None:
        """Let requests under way come to their end for a moment. The others are made again when their holds end."""
        if self._under_way:
            _, pending = await asyncio.wait([*self._under_way], timeout=PATIENCE_SECONDS)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)

    def _claim(self):  # noqa: ANN202 (an operation of the store's)
        under_way = self._under_way.values()
        return self._webhooks.claim(
            MOST_AT_ONCE - len(self._under_way),
            hold_seconds=HOLD_SECONDS,
            per_host=MOST_PER_HOST,
            per_owner=MOST_PER_OWNER,
            hosts=Counter(each.host for each in under_way),
            owners=Counter(each.owner for each in under_way),
        )

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _on_end(self, task: asyncio.Task[None]) -> None:
        claimed = self._under_way.pop(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("webhook_died", job_id=claimed.job_id, delivery_id=claimed.id, exc_info=error)

    async def _deliver(self, claimed: Claimed) -> None:
        clock = asyncio.get_running_loop().time
        began, at = clock(), datetime.now(UTC)
        answer = await self._answer(claimed)
        attempt = Attempt(at=at, status_code=answer.status_code, error=answer.error, seconds=round(clock() - began, 3))
        outcome, wait_seconds = verdict(
            answer, claimed, now=datetime.now(UTC), retry_seconds=self._webhooks.retry_seconds
        )
        log.info(
            "webhook_attempt",
            job_id=claimed.job_id,
            delivery_id=claimed.id,
            outcome=outcome,
            status_code=answer.status_code,
            error=answer.error,
            seconds=attempt.seconds,
        )
        while clock() - began < HOLD_SECONDS:
            try:
                await self._do(self._webhooks.settle(claimed, attempt, outcome, wait_seconds=wait_seconds))
            except StoreUnavailable:
                await asyncio.sleep(AWAY_SECONDS)
            else:
                return

    async def _answer(self, claimed: Claimed) -> Answer:
        try:
            body = claimed.message().model_dump_json()
        except ValueError:
            return Answer(error="unreadable_record")
        return await self._send(claimed.url, body, message_id=claimed.id, secret=claimed.secret)


def verdict(answer: Answer, claimed: Claimed, *, now: datetime, retry_seconds: float) -> tuple[Outcome, float]:
    """What becomes of a delivery by the answer to its attempt, and after which wait it is attempted again.

    2xx is a success, 410 the end of all deliveries of the job, anything else a failure, redirects too.
    """
    status = answer.status_code or 0
    if 200 <= status < 300:
        return "delivered", 0.0
    if status == 410:
        return "gone", 0.0
    lifetime = timedelta(seconds=lifetime_seconds(retry_seconds))
    # One that has waited behind others for so long has had its time, and is attempted once.
    if answer.error == "unreadable_record" or claimed.tries >= len(WAITS) or now - claimed.since >= lifetime:
        return "failed", 0.0
    return "retry", WAITS[claimed.tries] * retry_seconds * random.uniform(1 - JITTER, 1 + JITTER)
