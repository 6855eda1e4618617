"""What happens to jobs, as lines for whoever watches the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from inbox.errors import JobNotFound, StoreUnavailable
from inbox.model import Job, JobStatus, JobSummary

SECONDS_BETWEEN_LOOKS = 2.0
OPEN = (JobStatus.PENDING, JobStatus.PROCESSING)
MOST_OPEN = 500
MOST_NEW = 100


class Jobs(Protocol):
    """What the journal asks an inbox."""

    def get(self, job_id: UUID) -> Job:
        """One job with its files."""
        ...

    def list(self, *, status: JobStatus | None = None, limit: int = 50) -> tuple[JobSummary, ...]:
        """Jobs, newest first."""
        ...


class Journal:
    """Tells of each job that is new, begins, goes back to the queue or is over.

    It looks at the rows now and then, so that what went on while the database was away, or while
    nobody looked, is told late and not lost. A line holds no file name.

    Args:
        jobs: the inbox.
        say: told one line per event.
        clock: monotonic seconds.
    """

    def __init__(
        self, jobs: Jobs, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs = jobs
        self._say = say
        self._clock = clock
        self._looked: float | None = None
        self._newest: datetime | None = None
        self._open: dict[UUID, JobStatus] = {}

    def look(self) -> None:
        """Tell what has happened since the last look, unless that was just now."""
        now = self._clock()
        if self._looked is not None and now - self._looked < SECONDS_BETWEEN_LOOKS:
            return
        first, self._looked = self._looked is None, now
        try:
            self._tell(first=first)
        except StoreUnavailable:
            return

    def _tell(self, *, first: bool) -> None:
        found = {job.job_id: job for job in self._fresh(first=first)}
        for status in OPEN:
            found |= {job.job_id: job for job in self._jobs.list(status=status, limit=MOST_OPEN)}
        going_on = [job for job in found.values() if not job.status.terminal]
        over = (self._open.keys() | found.keys()) - {job.job_id for job in going_on}
        for job_id in over:
            try:
                self._note(self._jobs.get(job_id))
            except JobNotFound:  # deleted meanwhile
                self._open.pop(job_id, None)
        for job in sorted(going_on, key=lambda each: each.created_at):
            self._note(job)

    def _fresh(self, *, first: bool) -> list[JobSummary]:
        """Jobs that came since the last look; what was there before the first is no news."""
        newest = self._jobs.list(limit=MOST_NEW)
        since = self._newest
        if newest:
            self._newest = newest[0].created_at
        return [] if first else [job for job in newest if since is None or job.created_at > since]

    def _note(self, job: Job | JobSummary) -> None:
        if self._open.get(job.job_id) == job.status:
            return
        if job.status.terminal:
            self._open.pop(job.job_id, None)
        else:
            self._open[job.job_id] = job.status
        self._say(f"job {job.job_id}: {describe(job)}")


def describe(job: Job | JobSummary) -> str:
    """A job's state in a few words."""
    files = "1 file" if job.total_files == 1 else f"{job.total_files} files"
    if job.status is JobStatus.PENDING:
        return f"pending, {files}"
    if job.status is JobStatus.PROCESSING:
        return f"processing, {job.processed_files} of {files} done"
    words = f"{job.status.value}, {files}"
    if isinstance(job, Job) and job.result is not None:
        words += f", {job.result.failed} failed"
        if job.result.processing_time is not None:
            words += f", {job.result.processing_time:.1f} s"
    return words if job.error is None else f"{words} ({job.error.code})"
