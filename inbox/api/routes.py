"""The routes: one call of the door each."""

from __future__ import annotations

import base64
import binascii
import logging
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated
from uuid import UUID, uuid4

import anyio
from fastapi import APIRouter, Depends, Query, Request, Response, status
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from inbox.api.describe import SUBMIT_BODY, SUBMIT_RESPONSES
from inbox.api.estimate import estimate_seconds
from inbox.api.idempotency import HashingBlobs, digest_of, key_of
from inbox.api.problems import problem, responses
from inbox.api.uploads import Submission, receive
from inbox.errors import (
    ConfigurationError,
    IdempotencyConflict,
    InboxError,
    InvalidRequest,
    JobNotFound,
    JobNotOver,
    StoreUnavailable,
    TransientError,
)
from inbox.model import Job, JobStatus, JobSummary, Reservation, ReservationState, Value
from inbox.service import Inbox

POLL_SECONDS = 2
DISTRIBUTION = "document-inbox"
log = logging.getLogger(__name__)
router = APIRouter()


class Accepted(Value):
    """A job that was taken in."""

    job_id: UUID
    status: JobStatus
    message: str
    total_files: int
    status_endpoint: str = Field(description="Where to ask for the job; also in `Location`.")
    estimated_time_seconds: int = Field(
        description="A rough guess from the number and size of the files and the jobs ahead."
    )


class JobList(Value):
    """Some jobs, newest first."""

    jobs: tuple[JobSummary, ...]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next ones.")


class Deleted(Value):
    """The receipt for a job that was forgotten."""

    job_id: UUID
    deleted_at: datetime


class Health(Value):
    """Whether the service works."""

    status: str
    database: str
    version: str


def the_inbox(request: Request) -> Inbox:
    """The inbox that the application opened."""
    inbox: Inbox = request.app.state.inbox
    return inbox


Door = Annotated[Inbox, Depends(the_inbox)]


@router.post(
    "/classify-documents-async",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra={"requestBody": SUBMIT_BODY},
    responses=SUBMIT_RESPONSES,
    summary="Send documents to be read and classified",
)
async def submit(request: Request, response: Response, inbox: Door) -> Accepted:
    """Stores the files, queues one job for them and answers at once.

    With an `Idempotency-Key` the request may be repeated: the same files are the same job.
    """
    key, job_id = key_of(request), uuid4()
    if key is not None:
        reservation = await run_in_threadpool(inbox.reserve, key, job_id)
        if reservation.state == ReservationState.DONE:
            return await _repeated(request, response, inbox, reservation)
    try:
        submission = await receive(request, inbox.blobs, inbox.settings, job_id)
        ahead = await run_in_threadpool(_files_ahead, inbox)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(_discard, inbox, job_id, key)
        raise
    job = await run_in_threadpool(_queue, inbox, job_id, submission, key)
    return _accepted(response, job, _estimate(inbox, submission, ahead))


async def _repeated(
    request: Request, response: Response, inbox: Inbox, done: Reservation
) -> Accepted:
    """The job that this key stands for, if the request is the same."""
    submission = await receive(request, HashingBlobs(), inbox.settings, done.job_id)
    if digest_of(submission) != done.request_sha256:
        raise IdempotencyConflict("this Idempotency-Key was used for other files or labels")
    job = await run_in_threadpool(inbox.get, done.job_id)
    return _accepted(response, job, 0 if job.status.terminal else POLL_SECONDS)


def _accepted(response: Response, job: Job, estimate: int) -> Accepted:
    endpoint = f"/job/{job.job_id}"
    response.headers["Location"] = endpoint
    response.headers["Retry-After"] = str(POLL_SECONDS)
    return Accepted(
        job_id=job.job_id,
        status=job.status,
        message=f"{_files(job.total_files)} accepted; ask {endpoint} for progress and results.",
        total_files=job.total_files,
        status_endpoint=endpoint,
        estimated_time_seconds=estimate,
    )


def _queue(inbox: Inbox, job_id: UUID, submission: Submission, key: str | None) -> Job:
    reservation = None if key is None else (key, digest_of(submission))
    try:
        sealed = inbox.seal(job_id, submission.passwords)
        return inbox.submit(
            job_id, submission.uploads, submission.labels, reservation=reservation, sealed=sealed
        )
    except StoreUnavailable:
        raise  # the row may have been written, so its files must stay
    except InboxError:
        _discard(inbox, job_id, key)
        raise


def _discard(inbox: Inbox, job_id: UUID, key: str | None) -> None:
    inbox.blobs.delete_job(job_id)
    if key is not None:
        with suppress(InboxError):  # else the key is free when its reservation lapses
            inbox.abandon(key, job_id)


@router.get("/job/{job_id}", responses=responses(JobNotFound, InvalidRequest, StoreUnavailable))
def get_job(job_id: UUID, response: Response, inbox: Door) -> Job:
    """One job: its status, its progress and the results of the files that are over."""
    return _fresh(inbox.get(job_id), response)


@router.post(
    "/job/{job_id}/cancel",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(JobNotFound, InvalidRequest, StoreUnavailable),
)
def cancel_job(job_id: UUID, response: Response, inbox: Door) -> Job:
    """Asks for a job to be cancelled; one that is over stays as it is."""
    return _fresh(inbox.cancel(job_id), response)


@router.post(
    "/job/{job_id}/retry",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(JobNotFound, InvalidRequest, StoreUnavailable),
)
def retry_job(job_id: UUID, response: Response, inbox: Door) -> Job:
    """Tries the failed and cancelled files of a job that is over once more."""
    return _fresh(inbox.retry(job_id), response)


@router.delete(
    "/job/{job_id}",
    responses=responses(JobNotFound, JobNotOver, InvalidRequest, StoreUnavailable),
)
def delete_job(job_id: UUID, inbox: Door) -> Deleted:
    """Forgets a job that is over, with its files and results."""
    inbox.delete(job_id)
    return Deleted(job_id=job_id, deleted_at=datetime.now(UTC))


@router.get("/jobs", responses=responses(InvalidRequest, StoreUnavailable))
def list_jobs(
    response: Response,
    inbox: Door,
    status: JobStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> JobList:
    """Jobs, newest first."""
    response.headers["Cache-Control"] = "no-store"
    before = None if cursor is None else _read_cursor(cursor)
    jobs = inbox.list(status=status, before=before, limit=limit + 1)
    following = _write_cursor(jobs[limit - 1]) if len(jobs) > limit else None
    return JobList(jobs=jobs[:limit], next_cursor=following)


@router.get(
    "/healthz",
    response_model=Health,
    responses=responses(StoreUnavailable),
)
def health(inbox: Door) -> Health | Response:
    """Whether the service and its database work."""
    try:
        inbox.list(limit=1)
    except (TransientError, ConfigurationError) as error:
        log.warning("%s: %s", error.code, error)
        return problem(503, error.code, "The database does not answer as it should.")
    return Health(status="ok", database="ok", version=version(DISTRIBUTION))


@router.get("/", include_in_schema=False)
def root() -> dict[str, str]:
    """Where to go from here."""
    return {"name": DISTRIBUTION, "version": version(DISTRIBUTION), "docs": "/docs"}


def _fresh(job: Job, response: Response) -> Job:
    response.headers["Cache-Control"] = "no-store"
    if not job.status.terminal:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return job


def _files_ahead(inbox: Inbox) -> int:
    waiting = inbox.list(status=JobStatus.PENDING, limit=200)
    return sum(job.total_files - job.processed_files for job in waiting)


def _estimate(inbox: Inbox, submission: Submission, ahead: int) -> int:
    return estimate_seconds(
        len(submission.uploads), submission.size, ahead, inbox.settings.file_concurrency
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _write_cursor(job: JobSummary) -> str:
    text = f"{job.created_at.isoformat()}|{job.job_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, _, job_id = base64.urlsafe_b64decode(padded.encode()).decode().partition("|")
        return datetime.fromisoformat(created_at), UUID(job_id)
    except (ValueError, binascii.Error):
        raise InvalidRequest("this cursor is not one of ours; take it from `next_cursor`") from None
