"""Steps of a job through the store, in tests of the queue."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import psycopg

from inbox.model import (
    Classification,
    Document,
    Evidence,
    FileStatus,
    Job,
    Lease,
    Page,
    PageSource,
    Problem,
)
from inbox.store.store import Store

DOCUMENT = Document(
    media_type="text/plain",
    pages=(
        Page(number=1, text="Invoice 7", source=PageSource.NATIVE),
        Page(number=2, text="scan", source=PageSource.OCR),
    ),
)
FOUND = Classification(
    label="invoice",
    confidence=0.9,
    evidence=(Evidence(quote="Invoice 7", page=1),),
    classifier="test",
)
BROKEN = Problem(code="corrupt_file", message="The file is broken.")
Submit = Callable[..., UUID]


def claimed(store: Store, job_id: UUID, owner: str = "worker") -> Lease:
    """Claim a job that waits."""
    lease = store.claim(job_id, owner)
    assert lease is not None
    return lease


def complete(store: Store, lease: Lease) -> None:
    """Do every file of a lease."""
    for file in lease.files:
        store.start(lease, file)
        store.record(lease, file, DOCUMENT, FOUND)


def later(rows_url: str, seconds: float, call: str) -> object:
    """Call a function with the database's clock moved."""
    with psycopg.connect(rows_url, autocommit=True) as connection:
        connection.execute(f"set inbox.clock_offset = '{seconds} seconds'")
        row = connection.execute(f"select {call}").fetchone()
        assert row is not None
        return row[0]


def statuses(job: Job) -> list[FileStatus]:
    """The statuses of a job's files."""
    assert job.result is not None
    return [file.status for file in job.result.results]
