"""What a row may look like, whoever writes it: the table itself is an interface."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from inbox.model import Blob, JobStatus, Order, Problem, Upload
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The verbs, on a database of this test's own."""
    with Store(PostgresTransport(database_url, 2), lease_seconds=30, patience=1) as opened:
        yield opened


@pytest.fixture
def job_id(store: Store) -> UUID:
    """A pending job of two files."""
    job_id = uuid4()
    uploads = [Upload(name=f"{n}.txt", blob=Blob(key=f"{job_id}/{n}")) for n in (1, 2)]
    store.submit(job_id, Order(uploads=tuple(uploads)))
    return job_id


@pytest.mark.usefixtures("job_id")
@pytest.mark.parametrize(
    "statement",
    [
        "insert into inbox_jobs (status) values ('completed')",
        "update inbox_jobs set status = 'processing'",
        "update inbox_jobs set status = 'completed', finished_at = now(), result = '{}'",
        "update inbox_jobs set status = 'cancelled', finished_at = now(), result = '{}'",
        "update inbox_jobs set status = 'failed'",
        "update inbox_jobs set attempt = 3",
        "update inbox_jobs set total_files = 0",
        "update inbox_jobs set client_id = 'somebody else'",
        "update inbox_jobs set processed_files = 3",
        "update inbox_jobs set lease_token = 1",
        "update inbox_files set status = 'completed'",
        "update inbox_files set status = 'processing'",
        "update inbox_files set label = 'invoice'",
        "update inbox_files set crash_count = 3",
        "update inbox_files set storage_key = 'elsewhere'",
        """insert into inbox_files (job_id, name, storage_key, status)
           select id, 'x', 'k', 'failed' from inbox_jobs""",
    ],
)
def test_illegal_rows_cannot_be_written(database_url: str, statement: str) -> None:
    """Not even by a superuser's own SQL."""
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(statement)


def test_a_closed_job_stays_closed(store: Store, job_id: UUID, database_url: str) -> None:
    """No way leads out of a terminal status, and no file can be added."""
    lease = store.claim(job_id, "worker")
    assert lease is not None
    for file in lease.files:
        store.record_failure(lease, file, Problem(code="corrupt_file", message="broken"))
    assert store.finish(job_id, lease.token) == JobStatus.FAILED
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (
            "update inbox_jobs set status = 'pending', finished_at = null, result = null",
            "update inbox_files set status = 'pending', finished_at = null, label = null",
            "insert into inbox_files (job_id, name, storage_key) select id, '', '' from inbox_jobs",
        ):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(statement)


def test_rows_inserted_by_plain_sql_are_a_job(store: Store, database_url: str) -> None:
    """The table is an interface: two inserts, and numbers and counts are filled in."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("insert into inbox_jobs default values returning id").fetchone()
        assert row is not None
        for name in ("a.pdf", "b.pdf"):
            connection.execute(
                "insert into inbox_files (job_id, name, storage_key) values (%s, %s, %s)",
                (row[0], name, f"drop/{name}"),
            )
    assert [pending.job_id for pending in store.pending(10)] == [row[0]]
    lease = store.claim(row[0], "worker")
    assert lease is not None
    assert [(file.number, file.name) for file in lease.files] == [(1, "a.pdf"), (2, "b.pdf")]


def test_a_job_without_files_does_not_wait_for_ever(store: Store, database_url: str) -> None:
    """An hour after it was inserted it is failed, and until then nobody starts it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("insert into inbox_jobs default values returning id").fetchone()
    assert row is not None
    assert store.pending(10) == ()
    assert store.claim(row[0], "worker") is None
    assert store.reap() == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set inbox.clock_offset = '3601 seconds'")
        assert connection.execute("select inbox_reap_jobs()").fetchone() == (1,)
    job = store.get(row[0])
    assert job.error is not None
    assert job.error.code == "no_files"
