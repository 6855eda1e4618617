"""What readers see of jobs, files and the database."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import computed_field

from inbox.model.findings import Alternative, Cost, Evidence, FileDetails
from inbox.model.submissions import JobOptions
from inbox.model.values import Blob, Fraction, Problem, Row


class JobStatus(StrEnum):
    """Where a job is in its life."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return self not in {JobStatus.PENDING, JobStatus.PROCESSING}


class FileStatus(StrEnum):
    """Where a file is in its life."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FileResult(Row):
    """What became of one file, as a reader sees it.

    Attributes:
        parent_id: the file that this one was found in.
        corrected_label: what a person said it is, with who and when.
    """

    file_id: UUID
    number: int
    parent_id: UUID | None = None
    filename: str
    status: FileStatus
    label: str | None = None
    confidence: Fraction | None = None
    evidence: tuple[Evidence, ...] = ()
    needs_review: bool = False
    review_reasons: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    classifier: str | None = None
    media_type: str | None = None
    size: int | None = None
    pages: int | None = None
    ocr_pages: int | None = None
    text_length: int | None = None
    processing_time: float | None = None
    details: FileDetails = FileDetails()
    pages_done: int | None = None
    pages_total: int | None = None
    corrected_label: str | None = None
    corrected_by: str | None = None
    corrected_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None


class JobResult(Row):
    """The outcome so far. `processing_time` is in seconds."""

    total_files: int
    successful: int
    failed: int
    results: tuple[FileResult, ...]
    processing_time: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def cost(self) -> Cost | None:
        """What asking a model took for all files that are over; None where none was asked."""
        costs = [each.details.cost for each in self.results if each.details.cost is not None]
        if not costs:
            return None
        money = [each.money for each in costs if each.money is not None]
        return Cost(
            calls=sum(each.calls for each in costs),
            input_tokens=sum(each.input_tokens for each in costs),
            cached_tokens=sum(each.cached_tokens for each in costs),
            output_tokens=sum(each.output_tokens for each in costs),
            money=round(sum(money), 6) if len(money) == len(costs) else None,
            from_cache=all(each.from_cache for each in costs),
        )


class Job(Row):
    """One submission, as a reader sees it.

    Attributes:
        progress: percent of the work that is done, 0 to 100; never falls.
        processed_files: files that are over, whatever their outcome.
        estimated_seconds_left: by how fast it went so far; None where that is not known.
        result: per-file results; None until a file is over or some of its pages are done.
        error: why the job failed or was cancelled.
        stuck: why the job does not move, and what to do; None while it does.
        expires_at: when the job and its results are forgotten; None where that is not foreseen.
    """

    job_id: UUID
    status: JobStatus
    progress: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    total_files: int
    processed_files: int
    estimated_seconds_left: int | None = None
    attempt: int = 0
    cancel_requested: bool = False
    options: JobOptions = JobOptions()
    stuck: Problem | None = None
    result: JobResult | None = None
    error: Problem | None = None


class JobSummary(Row):
    """One line of a list of jobs."""

    job_id: UUID
    status: JobStatus
    progress: int
    created_at: datetime
    updated_at: datetime
    total_files: int
    processed_files: int
    estimated_seconds_left: int | None = None
    error: Problem | None = None


class Source(Row):
    """What it takes to show a file again.

    Attributes:
        pages: how many it has; None where it was not read.
        recipe: how the pages that are kept of it were read; None where not all of them are.
    """

    client_id: str
    name: str
    status: FileStatus
    media_type: str | None = None
    pages: int | None = None
    recipe: str | None = None
    details: FileDetails
    options: JobOptions = JobOptions()
    blob: Blob


class Stuck(Row):
    """A job that does not move, why, and what to do. `quiet_for` is in seconds."""

    job_id: UUID
    status: JobStatus
    why: str
    next_step: str
    quiet_for: float


class Health(Row):
    """What a database says of itself.

    Attributes:
        now: its clock, in seconds since 1970.
        role: the role that asked.
        migrations: the versions that it has had.
        bucket: `private`, `public` or `absent`.
        realtime: the tables that Realtime tells of.
    """

    now: float
    role: str
    migrations: tuple[str, ...]
    bucket: str
    realtime: tuple[str, ...]
