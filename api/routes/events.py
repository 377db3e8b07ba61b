"""What happens to all of a caller's jobs."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.http import kinds
from api.http.context import RequestContext, RequestContextDep
from api.http.event_stream import MEDIA_TYPE, EventStream
from api.http.params import Params
from api.http.problems import SCOPE_IS_HEAD
from api.http.responses import refusals, to_json, to_page
from api.http.route import DirectRoute
from api.openapi import examples
from api.parameters.cursors import not_a_cursor
from api.parameters.events import Events
from api.schemas import JobEventPage
from api.streams.of_owner import events_of_all
from jobs.wire import JobEvent

router = APIRouter(prefix="/v1", tags=["history"], route_class=DirectRoute)

BEGINNING = "0-0"


@router.get(
    "/events",
    operation_id="list_events",
    summary="Follow all your jobs",
    response_model=JobEventPage,
    responses={
        200: {
            "description": "One page of events, oldest first; or each event as it happens.",
            "content": {MEDIA_TYPE: examples.EVENTS_OF_ALL},
        },
        **refusals(kinds.NOT_ACCEPTABLE, kinds.INVALID_CURSOR, kinds.INVALID_PARAMETER, kinds.STORE_UNAVAILABLE),
    },
)
async def list_events(context: RequestContextDep, params: Annotated[Events, Params(Events)]) -> Response:
    """Read what happened to your jobs, in one order: the events of `GET /v1/jobs/{job_id}/events`, each with its
    `job_id`. The last 10,000 of all jobs of the server are kept; those of deleted jobs are left out, and
    that a job was deleted is not told.

    `Accept: text/event-stream` follows them. Without a cursor the stream begins with `ready`: what happens from then
    on is told, so ask for the list of jobs now. Behind `Last-Event-ID` or `after` comes what was missed; where that is
    no longer kept it begins with `reset`, which means the same as `ready`. `progress` is told while it lasts, of each
    job at most once a second: it has no id. Such a stream never ends by itself: connect again with the last id.
    """
    after = params.last_event_id or params.query.after
    if params.form == MEDIA_TYPE:
        if context.request.scope[SCOPE_IS_HEAD]:  # whose answer has an end
            return Response(headers={"cache-control": "no-cache", "vary": "Accept"}, media_type=MEDIA_TYPE)
        await context.do(context.services.store.feed.position())  # a store that is away is told by a problem
        return EventStream(lambda listener: events_of_all(context, listener, after=after))
    events, has_more = await _page(context, after, limit=params.query.limit)
    page = to_page(JobEventPage, events, [event.id for event in events], has_more=has_more)
    return to_json(page, headers={"vary": "Accept"})


async def _page(context: RequestContext, after: str, *, limit: int) -> tuple[list[JobEvent], bool]:
    """So many events, and whether others follow. Raises Refused for a cursor whose next events are gone."""
    feed, found, cursor = context.services.store.feed, list[JobEvent](), after or BEGINNING
    while True:
        part = await context.do(feed.part(cursor, owner=context.caller.visible_owner))
        if part.is_broken and after and cursor == after:
            raise not_a_cursor(after, "kept any longer, or events behind it are gone; leave it out to begin anew")
        cursor = part.cursor
        found += [entry.event for entry in part.entries]
        if len(found) > limit or not part.has_more:
            return found[:limit], len(found) > limit
