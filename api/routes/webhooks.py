"""`/v1/jobs/{job_id}/webhook-deliveries`: what a job's webhook was told, and telling it again."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.http import kinds
from api.http.context import RequestContextDep
from api.http.params import Params
from api.http.responses import followed_by, refusals, to_json, to_page
from api.http.route import DirectRoute
from api.parameters.cursors import not_a_cursor
from api.parameters.webhooks import JobDeliveries, Redelivery, not_a_delivery
from api.schemas import WebhookDeliveryPage
from jobs.webhook_messages import Delivery, delivery_number

router = APIRouter(prefix="/v1/jobs", tags=["webhooks"], route_class=DirectRoute)


@router.get(
    "/{job_id}/webhook-deliveries",
    operation_id="list_webhook_deliveries",
    summary="List what a job's webhook was told",
    response_model=WebhookDeliveryPage,
    responses={
        200: {
            "description": "One page of deliveries, oldest first. A job without a webhook has none.",
            "links": followed_by(
                "delivery_id",
                value="$response.body#/first_id",
                description="The `first_id` of the page is a `delivery_id` of this operation.",
            ),
        },
        **refusals(kinds.JOB_NOT_FOUND, kinds.INVALID_CURSOR, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_webhook_deliveries(
    context: RequestContextDep, params: Annotated[JobDeliveries, Params(JobDeliveries)]
) -> Response:
    """Read what was to be told, each message with its attempts: made, answered, and when the next one is due.

    Messages of a job are delivered in order, so a pending one waits for those before it. Of very many the last 1,000
    that were settled are kept.
    """
    query = params.query
    after = delivery_number(params.job_id, query.after) if query.after else 0
    if after is None:
        raise not_a_cursor(query.after, "a delivery of this job")
    found = await context.do(
        context.services.webhooks.list(
            params.job_id, owner=context.caller.visible_owner, after=after, limit=query.limit + 1
        )
    )
    shown = found[: query.limit]
    page = to_page(WebhookDeliveryPage, shown, [each.id for each in shown], has_more=len(found) > query.limit)
    return to_json(page)


@router.post(
    "/{job_id}/webhook-deliveries/{delivery_id}/redeliver",
    operation_id="redeliver_webhook",
    summary="Tell a job's webhook something again",
    status_code=202,
    response_model=Delivery,
    responses={
        202: {"description": "The delivery, pending: it is attempted within seconds."},
        **refusals(
            kinds.JOB_NOT_FOUND,
            kinds.WEBHOOK_DELIVERY_NOT_FOUND,
            kinds.INVALID_PARAMETER,
            kinds.STORE_UNAVAILABLE,
        ),
    },
)
async def redeliver_webhook(context: RequestContextDep, params: Annotated[Redelivery, Params(Redelivery)]) -> Response:
    """Have a message sent once more, under its old id: one that was given up, or delivered to a receiver that lost it.
    It is attempted as often as a new one. One that is pending has its turn at once, or those before it have.
    """
    number = delivery_number(params.job_id, params.delivery_id)
    delivery = None
    if number is not None:
        delivery = await context.do(
            context.services.webhooks.redeliver(params.job_id, number, owner=context.caller.visible_owner)
        )
    if delivery is None:
        # That the job is not there is told first.
        await context.do(context.services.webhooks.list(params.job_id, owner=context.caller.visible_owner, limit=1))
        raise not_a_delivery(params.delivery_id)
    return to_json(delivery, status=202)
