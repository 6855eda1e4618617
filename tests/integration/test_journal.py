"""The lines that `inbox up` prints about jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from inbox.model import Blob, Problem, Upload
from inbox.service import Inbox
from inbox.up import Journal
from inbox.up.journal import SECONDS_BETWEEN_LOOKS

BROKEN = Problem(code="corrupt_file", message="The file is broken.")
SECRET = "acme-merger.txt"


@pytest.fixture
def told() -> list[str]:
    """What the journal said."""
    return []


@pytest.fixture
def look(inbox: Inbox, told: list[str]) -> Callable[[], list[str]]:
    """Look once more, later; the lines that are new."""
    clock: Iterator[int] = count(step=int(SECONDS_BETWEEN_LOOKS) + 1)
    journal = Journal(inbox, told.append, lambda: float(next(clock)))

    def new() -> list[str]:
        before = len(told)
        journal.look()
        return told[before:]

    return new


def submit(inbox: Inbox) -> UUID:
    """A job of one file."""
    job_id = uuid4()
    inbox.submit(job_id, [Upload(name=SECRET, blob=Blob(key=f"{job_id}/1"))])
    return job_id


def fail(inbox: Inbox, job_id: UUID) -> None:
    """Run the job; its file is broken."""
    lease = inbox.claim(job_id, uuid4())
    assert lease is not None
    inbox.store.record_failure(lease, lease.files[0], BROKEN)
    inbox.finish(lease)


def test_each_step_of_a_job_is_a_line(inbox: Inbox, look: Callable[[], list[str]]) -> None:
    """Pending, processing and the outcome with its counts; nothing twice, and no file name."""
    assert look() == []
    job_id = submit(inbox)
    assert look() == [f"job {job_id}: pending, 1 file"]
    assert look() == []
    lease = inbox.claim(job_id, uuid4())
    assert lease is not None
    assert look() == [f"job {job_id}: processing, 0 of 1 file done"]
    inbox.store.record_failure(lease, lease.files[0], BROKEN)
    inbox.finish(lease)
    (line,) = look()
    assert line.startswith(f"job {job_id}: failed, 1 file, 1 failed")
    assert SECRET not in line
    assert look() == []


def test_a_job_between_two_looks_is_told_too(inbox: Inbox, look: Callable[[], list[str]]) -> None:
    """Jobs may come and go while nobody looks; those from before the start are no news."""
    fail(inbox, submit(inbox))
    assert look() == []
    fail(inbox, job_id := submit(inbox))
    (line,) = look()
    assert line.startswith(f"job {job_id}: failed")
    assert look() == []


def test_a_deleted_job_is_forgotten(inbox: Inbox, look: Callable[[], list[str]]) -> None:
    """It is neither told as something else nor asked for again."""
    job_id = submit(inbox)
    look()
    inbox.cancel(job_id)
    inbox.delete(job_id)
    assert look() == []


def test_an_outage_is_sat_out(
    inbox: Inbox, look: Callable[[], list[str]], told: list[str], database_url: str
) -> None:
    """While the database is away nothing is told; what happened meanwhile comes afterwards."""
    look()
    job_id = submit(inbox)
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, dbname="postgres", autocommit=True) as connection:
        connection.execute(
            sql.SQL("alter database {} allow_connections false").format(sql.Identifier(name))
        )
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
        )
        assert look() == []
        connection.execute(
            sql.SQL("alter database {} allow_connections true").format(sql.Identifier(name))
        )
    while not told:
        look()
    assert told == [f"job {job_id}: pending, 1 file"]
