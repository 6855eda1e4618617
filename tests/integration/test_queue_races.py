"""What the queue promises when many ask it at the same moment."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from inner_scenarios import SCENARIOS as INNER
from psycopg.types.json import Jsonb
from queue_races import claimers_at_once, late_writers, nobody_waits
from queue_scenarios import SCENARIOS

EVERY = {**SCENARIOS, **INNER}


def test_a_late_writer_and_the_next_holder_never_both_write(database_url: str) -> None:
    """200 races of record and finish against reap and claim: each file has one writer."""
    taken = late_writers(database_url, rounds=200)
    assert 5 < taken < 195, "the race is always won by the same one, so it is none"


def test_claimers_at_the_same_moment_each_get_a_job(database_url: str) -> None:
    """Eight jobs, eight claimers, twenty times: none goes away empty, no job is claimed twice."""
    claimers_at_once(database_url, rounds=20)


def test_nobody_stands_in_line_for_a_busy_row(database_url: str) -> None:
    """A row that somebody holds delays neither a claim nor a reap of the others."""
    nobody_waits(database_url)


@pytest.mark.parametrize("scenario", EVERY)
def test_the_queue_keeps_a_promise(scenario: str, database_url: str) -> None:
    """Which one, the name says."""
    EVERY[scenario](database_url)


@pytest.fixture
def finished_jobs(database_url: str) -> str:
    """A database with many finished jobs and few waiting, as it is after a year."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "insert into inbox_jobs (client_id, status, total_files, processed_files, progress,"
            " attempt, started_at, finished_at, result)"
            " select 'client-' || n %% 7, 'completed', 1, 1, 100, 1, now(), now(), '{}'"
            " from generate_series(1, %s) n",
            (20_000,),
        )
        connection.execute(
            "insert into inbox_jobs (client_id, total_files)"
            " select 'client-' || n % 7, 1 from generate_series(1, 50) n"
        )
        connection.execute("analyze inbox_jobs")
    return database_url


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("select * from inbox_private.next_jobs(16)", "inbox_jobs_fair"),
        ("select inbox_pending_jobs(100)", "inbox_jobs_fair"),
        ("select inbox_claim_job(null, 'x', 30)", "inbox_jobs_fair"),
        ("select inbox_reap_jobs()", "inbox_jobs_working"),
    ],
)
def test_finished_jobs_cost_nothing(finished_jobs: str, query: str, index: str) -> None:
    """Looking for work reads the partial indexes, and no finished row."""
    with psycopg.connect(finished_jobs, autocommit=True) as connection:
        connection.execute("set inbox.clock_offset = '1 second'")
        before = reads(connection)
        connection.execute(query.encode())
        after = reads(connection)
    assert after[index] > before[index]
    assert after["sequential scans"] == before["sequential scans"]
    assert after["rows"] - before["rows"] < 500, (before, after)


def reads(connection: psycopg.Connection[object]) -> dict[str, int]:
    """How often each index was used, and how many rows were read, up to now."""
    connection.execute("select pg_stat_force_next_flush()")
    connection.execute("select")  # the statement whose end writes the counts down
    indexes = connection.execute(
        "select indexrelname, idx_scan from pg_stat_user_indexes where relname = 'inbox_jobs'"
    ).fetchall()
    row = connection.execute(
        "select seq_scan, seq_tup_read + idx_tup_fetch from pg_stat_user_tables"
        " where relname = 'inbox_jobs'"
    ).fetchone()
    assert row is not None
    return dict(indexes) | {"sequential scans": row[0], "rows": row[1]}  # type: ignore[arg-type]


def test_a_sign_of_life_writes_no_index_entry(database_url: str) -> None:
    """Heartbeats are the commonest write; each fits into the page of the row."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        job_id = uuid4()
        files = Jsonb([{"name": "a", "storage_key": "a"}])
        connection.execute("select inbox_submit_job(%s, %s)", (job_id, files))
        query = "select (inbox_claim_job(%s, 'x', 30)->>'token')::bigint"
        row = connection.execute(query, (job_id,)).fetchone()
        assert row is not None
        before = updates(connection)
        for _ in range(50):
            connection.execute("select inbox_heartbeat(%s, %s, 30)", (job_id, row[0]))
        written, hot = (now - then for now, then in zip(updates(connection), before, strict=True))
    assert written == hot == 50


def updates(connection: psycopg.Connection[object]) -> tuple[int, int]:
    """Rows of inbox_jobs updated, and those of them without an index entry, up to now."""
    connection.execute("select pg_stat_force_next_flush()")
    connection.execute("select")
    row = connection.execute(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'inbox_jobs'"
    ).fetchone()
    assert row is not None
    return row  # type: ignore[return-value]
