"""Routes of corrections: what people say a file is."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from inbox.api.auth import Known
from inbox.api.door import Door
from inbox.api.problems import responses
from inbox.errors import (
    FileNotCompleted,
    FileNotFound,
    InvalidLabels,
    InvalidRequest,
    JobNotFound,
    StoreUnavailable,
)
from inbox.labelling import Correction
from inbox.model import Job, Value

router = APIRouter(tags=["corrections"])


class Said(Value):
    """What a person says of a file."""

    label: str | None = Field(
        description="One of the job's labels; null takes an earlier correction back."
    )
    by: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        description="Who says so, without control characters.",
    )


@router.patch(
    "/job/{job_id}/files/{file_id}",
    responses=responses(
        JobNotFound, FileNotFound, FileNotCompleted, InvalidLabels, InvalidRequest, StoreUnavailable
    ),
)
def correct_file(job_id: UUID, file_id: UUID, said: Said, inbox: Door, caller: Known) -> Job:
    """Corrects or confirms the label of a file; who and when is kept."""
    return inbox.correct(job_id, file_id, said.label, said.by, caller.client_id)


@router.get(
    "/job/{job_id}/corrections", responses=responses(JobNotFound, InvalidRequest, StoreUnavailable)
)
def list_corrections(job_id: UUID, inbox: Door, caller: Known) -> tuple[Correction, ...]:
    """Every correction of a job's files, oldest first."""
    return inbox.corrections(job_id, caller.client_id)
