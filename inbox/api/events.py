"""A job's events as server-sent events.

Every event has its number as id. A client that was cut off sends the last one it saw as
`Last-Event-ID`, as browsers do by themselves, and gets what came after it: each event once, in
order. The stream ends with the event that closes the job; who asks again is told 204, on which a
browser stops asking.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response, status
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from inbox.api.auth import Known
from inbox.api.door import Door
from inbox.api.lookout import Lookout, News
from inbox.api.problems import responses
from inbox.errors import InboxError, InvalidRequest, JobNotFound, StoreUnavailable
from inbox.interface import Event, EventKind, Events
from inbox.service import Inbox

BATCH = 500
ALIVE_SECONDS = 15.0  # proxies close connections that are silent for longer than half a minute
RETRY_MILLISECONDS = 1000
LARGEST = 2**31 - 1
MEDIA_TYPE = "text/event-stream"
EXAMPLE = (
    'id: 3\nevent: file\ndata: {"at": "2026-01-05T10:00:00Z", "file_id": "…", "number": 1, '
    '"status": "completed", "label": "invoice", "confidence": 0.93}\n\n'
)
EVENT = {
    "type": "object",
    "description": "One event, by the names of its fields.",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string", "enum": [kind.value for kind in EventKind]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
router = APIRouter()


@router.get(
    "/job/{job_id}/events",
    response_class=StreamingResponse,
    responses={
        **responses(JobNotFound, InvalidRequest, StoreUnavailable),
        200: {
            "description": "The events of kind `job`, `file` and `pages` from here on.",
            "content": {MEDIA_TYPE: {"schema": EVENT, "example": EXAMPLE}},
        },
        204: {"description": "The job is over and every event has been received."},
    },
    summary="Follow a job",
)
async def follow_job(
    *,
    job_id: UUID,
    request: Request,
    inbox: Door,
    caller: Known,
    last_event_id: Annotated[
        str,
        Header(pattern=r"^[0-9]{0,9}$", description="The id of the last event that was received."),
    ] = "",
    after: Annotated[
        int, Query(ge=0, le=LARGEST, description="As `Last-Event-ID`, which wins.")
    ] = 0,
) -> Response:
    """Sends what happens to a job as it happens, and what happened since the last event seen."""
    after = int(last_event_id) if last_event_id else after
    found = await run_in_threadpool(inbox.events, job_id, caller.client_id, after, BATCH)
    after = min(after, found.last)
    if found.status.terminal and after == found.last and found.last > 0:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    lookout: Lookout = request.app.state.lookout
    return StreamingResponse(
        _stream(inbox, lookout, job_id, caller.client_id, after=after, found=found),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(
    inbox: Inbox,
    lookout: Lookout,
    job_id: UUID,
    client_id: str | None,
    *,
    after: int,
    found: Events,
) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    while True:
        for event in found.events:
            yield written(event)
            after = event.sequence
        if after >= found.last:
            if found.status.terminal:
                return
            news = News.NONE
            while news is News.NONE:
                news = await lookout.news(job_id, after, ALIVE_SECONDS)
                if news is News.NONE:
                    yield ": still here\n\n"
            if news is not News.MORE:
                return
        try:
            found = await run_in_threadpool(inbox.events, job_id, client_id, after, BATCH)
        except InboxError:
            return  # the client asks again from where it was, and is told what is wrong


def written(event: Event) -> str:
    """An event as it goes over the wire."""
    data = json.dumps({"at": event.at.isoformat(), **event.data}, ensure_ascii=False)
    return f"id: {event.sequence}\nevent: {event.kind.value}\ndata: {data}\n\n"
