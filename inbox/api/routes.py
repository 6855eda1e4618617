"""The routes of jobs: one call of the door each."""

from __future__ import annotations

import logging
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated
from uuid import UUID, uuid4

import anyio
from fastapi import APIRouter, Header, Query, Request, Response, status
from starlette.concurrency import run_in_threadpool

from inbox.api.auth import Caller, Known
from inbox.api.describe import JOB_RESPONSES, SUBMIT_BODY, SUBMIT_RESPONSES
from inbox.api.door import Door
from inbox.api.estimate import estimate_seconds
from inbox.api.idempotency import HashingBlobs, digest_of, key_of
from inbox.api.limits import Intake
from inbox.api.lookout import Lookout, News
from inbox.api.problems import problem, responses
from inbox.api.query import Moment, links, read_cursor, write_cursor
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
from inbox.interface import Accepted, Deleted, JobFilter, JobList, Taken, Watched
from inbox.model import Job, JobStatus, Reservation, ReservationState, Value
from inbox.service import Inbox

POLL_SECONDS = 2
MOST_WAIT_SECONDS = 60
DISTRIBUTION = "document-inbox"
ETAG = re.compile(r'W/"(\d{1,9})"')
NO_NUL = r"^[^\x00]*$"
log = logging.getLogger(__name__)
router = APIRouter()
public = APIRouter()  # what needs no credentials


class Health(Value):
    """Whether the service works."""

    status: str
    database: str
    version: str


@router.post(
    "/classify-documents-async",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra={"requestBody": SUBMIT_BODY},
    responses=SUBMIT_RESPONSES,
    summary="Send documents to be read and classified",
)
async def submit(request: Request, response: Response, inbox: Door, caller: Known) -> Accepted:
    """Stores the files, queues one job for them and answers at once.

    With an `Idempotency-Key` the request may be repeated: the same files are the same job.
    """
    intake: Intake = request.app.state.intake
    key, job_id = key_of(request), uuid4()
    async with intake.place():
        if key is not None:
            reservation = await run_in_threadpool(inbox.reserve, key, job_id, caller.owner)
            if reservation.state == ReservationState.DONE:
                return await _repeated(request, response, inbox, reservation)
        try:
            submission = await receive(request, inbox.blobs, inbox.settings, job_id)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(_discard, inbox, job_id, key, caller)
            raise
        taken = await run_in_threadpool(_queue, inbox, job_id, submission, key, caller)
    return _accepted(response, taken.job, _estimate(inbox, submission, taken.files_ahead))


async def _repeated(
    request: Request, response: Response, inbox: Inbox, done: Reservation
) -> Accepted:
    """The job that this key stands for, if the request is the same."""
    submission = await receive(request, HashingBlobs(), inbox.settings, done.job_id)
    if digest_of(submission) != done.request_sha256:
        raise IdempotencyConflict("this Idempotency-Key was used for another request")
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


def _queue(
    inbox: Inbox, job_id: UUID, submission: Submission, key: str | None, caller: Caller
) -> Taken:
    reservation = None if key is None else (key, digest_of(submission))
    try:
        sealed = inbox.seal(job_id, submission.passwords)
        return inbox.accept(
            job_id,
            submission.uploads,
            submission.labels,
            caller.owner,
            reservation,
            options=submission.options,
            sealed=sealed,
        )
    except StoreUnavailable:
        raise  # the row may have been written, so its files must stay
    except InboxError:
        _discard(inbox, job_id, key, caller)
        raise


def _discard(inbox: Inbox, job_id: UUID, key: str | None, caller: Caller) -> None:
    inbox.blobs.delete_job(job_id)
    if key is not None:
        with suppress(InboxError):  # else the key is free when its reservation lapses
            inbox.abandon(key, job_id, caller.owner)


@router.get("/job/{job_id}", response_model=Job, responses=JOB_RESPONSES)
async def get_job(
    *,
    job_id: UUID,
    request: Request,
    response: Response,
    inbox: Door,
    caller: Known,
    wait: Annotated[
        float,
        Query(
            ge=0,
            le=MOST_WAIT_SECONDS,
            description="Seconds to wait until the job is over; with If-None-Match until it "
            "has changed.",
        ),
    ] = 0,
    if_none_match: Annotated[
        str, Header(description="An ETag of before: 304 where nothing has changed.")
    ] = "",
) -> Job | Response:
    """One job: its status, its progress and the results of the files that are over."""
    known = _known_event(if_none_match)
    found = await run_in_threadpool(inbox.watch, job_id, caller.client_id, known)
    until = time.monotonic() + wait
    lookout: Lookout = request.app.state.lookout
    while _is_waited_for(found, known) and (left := until - time.monotonic()) > 0:
        if await lookout.news(job_id, found.event, left) is News.CLOSING:
            break
        found = await run_in_threadpool(inbox.watch, job_id, caller.client_id, known)
    headers = {"ETag": f'W/"{found.event}"', "Cache-Control": "private, no-cache"}
    if found.job is None:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    response.headers.update(headers)
    if not found.status.terminal:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return found.job


def _is_waited_for(found: Watched, known: int | None) -> bool:
    return not found.status.terminal if known is None else found.job is None


def _known_event(header: str) -> int | None:
    """The number in an ETag of ours; of several the last."""
    numbers = ETAG.findall(header)
    return int(numbers[-1]) if numbers else None


@router.post(
    "/job/{job_id}/cancel",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(JobNotFound, InvalidRequest, StoreUnavailable),
)
def cancel_job(job_id: UUID, response: Response, inbox: Door, caller: Known) -> Job:
    """Asks for a job to be cancelled; one that is over stays as it is."""
    return _fresh(inbox.stated(inbox.cancel(job_id, caller.client_id)), response)


@router.post(
    "/job/{job_id}/retry",
    status_code=status.HTTP_202_ACCEPTED,
    responses=responses(JobNotFound, InvalidRequest, StoreUnavailable),
)
def retry_job(job_id: UUID, response: Response, inbox: Door, caller: Known) -> Job:
    """Tries the failed and cancelled files of a job that is over once more."""
    return _fresh(inbox.stated(inbox.retry(job_id, caller.client_id)), response)


@router.delete(
    "/job/{job_id}",
    responses=responses(JobNotFound, JobNotOver, InvalidRequest, StoreUnavailable),
)
def delete_job(job_id: UUID, inbox: Door, caller: Known) -> Deleted:
    """Forgets a job that is over, with its files and results, and gives a receipt."""
    removed = inbox.delete(job_id, caller.client_id)
    return Deleted(job_id=job_id, deleted_at=datetime.now(UTC), blobs_removed=removed)


@router.get(
    "/jobs",
    responses={
        **responses(InvalidRequest, StoreUnavailable),
        200: {
            "headers": {
                "Link": {
                    "description": "RFC 8288 links to the first and the next page.",
                    "schema": {"type": "string"},
                }
            }
        },
    },
)
def list_jobs(
    *,
    request: Request,
    response: Response,
    inbox: Door,
    caller: Known,
    status: Annotated[
        list[JobStatus] | None, Query(max_length=5, description="One or more of them.")
    ] = None,
    label: Annotated[
        str | None,
        Query(min_length=1, max_length=64, pattern=NO_NUL, description="A file has this label."),
    ] = None,
    needs_review: Annotated[
        bool | None, Query(description="Whether a file is marked for review.")
    ] = None,
    failed_files: Annotated[bool | None, Query(description="Whether a file failed.")] = None,
    created_after: Annotated[Moment | None, Query(description="Not before then.")] = None,
    created_before: Annotated[Moment | None, Query(description="Before then.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[
        str | None, Query(max_length=200, description="`next_cursor` of the page before.")
    ] = None,
) -> JobList:
    """Jobs, newest first, that fit all the filters that are given."""
    wanted = JobFilter(
        status=tuple(status) if status else None,
        label=label,
        needs_review=needs_review,
        failed_files=failed_files,
        created_after=created_after,
        created_before=created_before,
    )
    before = None if cursor is None else read_cursor(cursor)
    jobs = inbox.find(wanted, client_id=caller.client_id, before=before, limit=limit + 1)
    following = write_cursor(jobs[limit - 1]) if len(jobs) > limit else None
    response.headers["Cache-Control"] = "no-store"
    response.headers["Link"] = links(request.url.path, request.query_params, following)
    return JobList(jobs=jobs[:limit], next_cursor=following)


@public.get(
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


def _fresh(job: Job, response: Response) -> Job:
    response.headers["Cache-Control"] = "no-store"
    if not job.status.terminal:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return job


def _estimate(inbox: Inbox, submission: Submission, ahead: int) -> int:
    return estimate_seconds(
        len(submission.uploads), submission.size, ahead, inbox.settings.file_concurrency
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
