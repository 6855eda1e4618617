"""The nouns of the interface: events, filters, API keys, webhooks, how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from inbox.model import Job, JobStatus, JobSummary, Row, Value


class EventKind(StrEnum):
    """What an event tells of."""

    JOB = "job"
    FILE = "file"
    PAGES = "pages"


class Event(Row):
    """Something that happened to a job.

    Attributes:
        sequence: counts from 1 within the job, without gaps.
        data: the state after it; of a job its status and counts, of a file its outcome, of
            pages how many were read.
    """

    sequence: int
    kind: EventKind
    at: datetime
    data: Mapping[str, Any]


class Events(Row):
    """Some events of a job, in order, with the job's status and the number of its last event."""

    status: JobStatus
    last: int
    events: tuple[Event, ...]


class Watched(Row):
    """A job and the number of its last event; `job` is None where that was known already."""

    event: int
    status: JobStatus
    job: Job | None


class Taken(Row):
    """A job that was queued, and the unfinished files of the jobs that wait before it."""

    job: Job
    files_ahead: int


class JobFilter(Value):
    """Which jobs a list shows; None is any.

    Attributes:
        status: these.
        label: a file has this label, or was given it by a person.
        needs_review: whether a file is marked for review.
        failed_files: whether a file failed.
        created_after: not before this moment.
        created_before: before this moment.
    """

    status: tuple[JobStatus, ...] | None = None
    label: str | None = None
    needs_review: bool | None = None
    failed_files: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class Scope(StrEnum):
    """What an API key is good for."""

    READ = "read"
    SUBMIT = "submit"
    MANAGE = "manage"
    METRICS = "metrics"


class ApiKey(Row):
    """An API key, without the key itself.

    Attributes:
        hint: how the key begins, to tell it from others.
        client_id: whose jobs it sees.
        per_minute: requests that it may send in a minute.
    """

    id: UUID
    name: str
    client_id: str
    hint: str
    scopes: tuple[Scope, ...]
    per_minute: int
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class CheckedKey(Row):
    """Whether there ever was a key, and the key that was asked for, if it is good."""

    configured: bool
    key: ApiKey | None


WebhookEvent = Literal["job.completed", "job.failed", "job.cancelled"]
WEBHOOK_EVENTS: tuple[WebhookEvent, ...] = ("job.completed", "job.failed", "job.cancelled")


class Webhook(Row):
    """Where a client wants to be told that its jobs are over."""

    id: UUID
    url: str
    events: tuple[WebhookEvent, ...]
    created_at: datetime
    disabled_at: datetime | None = None
    disabled_reason: str | None = None


class WebhookAttempt(Row):
    """One attempt to deliver a message.

    Attributes:
        replay: how often the message had been sent anew before.
        status: what the receiver answered; None where it did not.
        error_code: why there was no answer, or none that counts.
        seconds: how long it took.
    """

    replay: int
    attempt: int
    at: datetime
    status: int | None = None
    error_code: str | None = None
    seconds: float


class WebhookMessage(Row):
    """A message and the log of its attempts. `due_at` is when the next one is made."""

    id: UUID
    job_id: UUID | None = None
    type: str
    state: Literal["pending", "delivered", "failed"]
    created_at: datetime
    due_at: datetime | None = None
    settled_at: datetime | None = None
    attempts: tuple[WebhookAttempt, ...] = ()


class Delivery(Row):
    """A message that was claimed: to be sent now, by us."""

    id: UUID
    webhook_id: UUID
    url: str = Field(repr=False)
    secret: str = Field(repr=False)
    payload: Mapping[str, Any]
    attempt: int
    replay: int


class Verdict(StrEnum):
    """What an attempt means for its message."""

    DELIVERED = "delivered"
    RETRY = "retry"
    GONE = "gone"


class Outcome(Value):
    """How an attempt to deliver went; `retry_after` is in seconds."""

    verdict: Verdict
    seconds: float
    status: int | None = None
    error_code: str | None = None
    retry_after: float | None = None


class Metrics(Row):
    """How it goes: what waits now, and what was done in the last minutes.

    Attributes:
        oldest_pending_seconds: how long the oldest pending job has waited.
        cost: what models cost, in US dollars.
        errors: how many files failed, by code.
    """

    pending_jobs: int
    processing_jobs: int
    pending_files: int
    oldest_pending_seconds: float
    webhook_messages_waiting: int
    finished_files: int
    review_files: int
    pages: int
    ocr_pages: int
    cost: float
    errors: Mapping[str, Annotated[int, Field(ge=0)]]


class Accepted(Row):
    """A job that was taken in."""

    job_id: UUID
    status: JobStatus
    message: str
    total_files: int
    status_endpoint: str = Field(description="Where to ask for the job; also in `Location`.")
    estimated_time_seconds: int = Field(
        description="A rough guess from the number and size of the files and the jobs ahead."
    )


class JobList(Row):
    """Some jobs, newest first."""

    jobs: tuple[JobSummary, ...]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next ones.")


class Deleted(Row):
    """The receipt for a job that was forgotten: its rows, its results and its bytes."""

    job_id: UUID
    deleted_at: datetime
    blobs_removed: int = Field(description="Stored documents that were removed with it.")
