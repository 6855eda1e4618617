"""A job's results as a file."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from inbox.api.auth import Known
from inbox.api.door import Door
from inbox.api.problems import responses
from inbox.errors import InvalidRequest, JobNotFound, StoreUnavailable
from inbox.export import ExportFormat, export

router = APIRouter()
BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/job/{job_id}/export",
    response_class=Response,
    responses={
        **responses(JobNotFound, InvalidRequest, StoreUnavailable),
        200: {
            "description": "The table, as an attachment.",
            "content": {each.media_type: BINARY for each in ExportFormat},
        },
    },
    summary="A job's results as a table",
)
def export_job(
    job_id: UUID,
    inbox: Door,
    caller: Known,
    wanted: Annotated[
        ExportFormat, Query(alias="format", description="How the table is written.")
    ] = ExportFormat.CSV,
) -> Response:
    """A row for each file; nothing in it is taken for a formula by a spreadsheet."""
    body = export([inbox.get(job_id, caller.client_id)], wanted)
    name = f"{job_id}.{wanted.value}"
    return Response(
        body,
        media_type=wanted.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
