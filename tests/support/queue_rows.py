"""What the rows say, all of it, and the promises that hold whoever wrote them."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row, namedtuple_row

TERMINAL = {"completed", "failed", "cancelled"}


class JobRow(NamedTuple):
    """A row of inbox_jobs."""

    id: UUID
    client_id: str
    status: str
    progress: int
    total_files: int
    processed_files: int
    attempt: int
    charged_attempts: int
    max_attempts: int
    chain: int
    lease_token: int | None
    cancelled: bool
    available_in: float
    result: dict[str, Any] | None


class FileRow(NamedTuple):
    """A row of inbox_files."""

    id: UUID
    job_id: UUID
    number: int
    status: str
    chain: int
    crash_count: int
    lease_token: int | None
    label: str | None
    error_code: str | None
    finished_at: Any


class Rows(NamedTuple):
    """Everything, at one moment."""

    jobs: dict[UUID, JobRow]
    files: dict[UUID, FileRow]
    attempts: dict[UUID, list[str | None]]

    def files_of(self, job_id: UUID) -> list[FileRow]:
        """A job's files, in order."""
        return sorted((f for f in self.files.values() if f.job_id == job_id), key=_number)


JOBS = """
select id, client_id, status, progress, total_files, processed_files, attempt, charged_attempts,
       max_attempts, chain, lease_token, cancel_requested_at is not null as cancelled,
       extract(epoch from available_at - inbox_private.clock())::float as available_in, result
  from inbox_jobs"""
FILES = """
select id, job_id, number, status, chain, crash_count, lease_token, label, error_code, finished_at
  from inbox_files"""


def read(connection: psycopg.Connection[Any]) -> Rows:
    """Every row."""
    jobs = connection.cursor(row_factory=class_row(JobRow)).execute(JOBS).fetchall()
    files = connection.cursor(row_factory=class_row(FileRow)).execute(FILES).fetchall()
    attempts: dict[UUID, list[str | None]] = {job.id: [] for job in jobs}
    cursor = connection.cursor(row_factory=namedtuple_row)
    for row in cursor.execute("select job_id, outcome from inbox_attempts order by attempt"):
        attempts[row.job_id].append(row.outcome)
    return Rows({job.id: job for job in jobs}, {file.id: file for file in files}, attempts)


def check_rows(rows: Rows, *, within_files: bool = False) -> None:
    """What is true of the rows at every moment.

    Args:
        rows: all of them.
        within_files: whether progress may be ahead of the files that are over, as it is where
            pages were read of one that is not.
    """
    for job in rows.jobs.values():
        files, attempts = rows.files_of(job.id), rows.attempts[job.id]
        counts = Counter(file.status for file in files)
        over = counts["completed"] + counts["failed"]
        assert job.total_files == len(files)
        assert job.processed_files == over
        least = 100 * over // len(files) if files else 0
        most = max(least, 99) if within_files else least
        assert least <= job.progress <= most, (least, job.progress, most)
        assert job.charged_attempts <= job.max_attempts
        assert len(attempts) == job.attempt
        assert [outcome for outcome in attempts if outcome is None] == (
            [None] if job.status == "processing" else []
        )
        if job.status in TERMINAL:
            assert job.status == fold(counts)
            assert job.result is not None
            results = job.result["results"]
            assert [(r["status"], r["label"]) for r in results] == [
                (f.status, f.label) for f in files
            ]
            tally = (job.result["successful"], job.result["failed"])
            assert tally == (counts["completed"], counts["failed"])
        else:
            assert job.result is None
            assert counts["cancelled"] == 0
            assert job.status == "processing" or counts["processing"] == 0
        for file in files:
            assert (file.finished_at is not None) == (file.status in TERMINAL)
            if file.status == "processing":
                assert file.lease_token == job.lease_token


def fold(counts: Counter[str]) -> str:
    """How a job ends whose files ended so."""
    if counts["cancelled"]:
        return "cancelled"
    return "completed" if counts["completed"] else "failed"


def check_step(before: Rows, after: Rows) -> None:
    """What never happens between two moments."""
    for job_id, old in before.jobs.items():
        new = after.jobs.get(job_id)
        if new is None:
            assert old.status in TERMINAL, "only a job that is over is forgotten"
            continue
        assert new.chain - old.chain in {0, 1}
        if new.chain == old.chain:
            assert new.progress >= old.progress
            assert new.processed_files >= old.processed_files
            if old.status in TERMINAL:
                assert (new.status, new.result) == (old.status, old.result)
        else:
            assert old.status in TERMINAL
        assert new.attempt >= old.attempt
        if new.lease_token is not None and old.lease_token is not None:
            assert new.lease_token >= old.lease_token
    for file_id, was in before.files.items():
        now = after.files.get(file_id)
        if now is not None and was.status in TERMINAL and now.chain == was.chain:
            assert now == was, "an outcome is written once"
        if now is not None and was.status == "completed":
            assert now == was, "a completed file is never redone"


def _number(file: FileRow) -> int:
    return file.number
