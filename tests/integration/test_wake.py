"""What wakes dispatch, and that nothing which fails there costs more than the next look."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import UUID, uuid4

import psycopg
import pytest
from realtime_server import RealtimeServer

from inbox.model import Blob, JobStatus, Problem, Upload
from inbox.project import KeyKind, Project
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.store import realtime
from inbox.store.postgres import PostgresWake
from inbox.store.realtime import RealtimeWake
from inbox.store.wake import Wake

LONG = 30.0  # a wait that is to be ended by a wake-up
SHORT = 0.2  # a wait that nothing ends
BROKEN = Problem(code="corrupt_file", message="The file is broken.")


@pytest.fixture
def wake(inbox: Inbox) -> Iterator[Wake]:
    """Ears on the database of this test."""
    with closing(inbox.listen()) as opened:
        yield opened


def submit(inbox: Inbox) -> UUID:
    """A job of one file."""
    job_id = uuid4()
    inbox.submit(job_id, [Upload(name="a.txt", blob=Blob(key=f"{job_id}/1"))])
    return job_id


def woken(wake: Wake, by: Callable[[], object]) -> bool:
    """Whether doing this wakes; nothing else has."""
    assert not wake.wait(SHORT)
    by()
    return wake.wait(LONG)


def test_a_submitted_job_wakes(inbox: Inbox, wake: Wake) -> None:
    """Whoever sleeps looks as soon as the job is there."""
    assert woken(wake, lambda: submit(inbox))


def test_rows_inserted_by_sql_wake(wake: Wake, database_url: str) -> None:
    """The table is the interface: no function of ours takes part."""

    def insert() -> None:
        with psycopg.connect(database_url) as connection:
            row = connection.execute(
                "insert into inbox_jobs default values returning id"
            ).fetchone()
            assert row is not None
            connection.execute(
                "insert into inbox_files (job_id, name, storage_key) values (%s, 'a', 'a')", row
            )

    assert woken(wake, insert)


def test_a_job_that_waits_again_wakes(inbox: Inbox, wake: Wake) -> None:
    """Released, taken back from a dead worker, tried again."""
    job_id = submit(inbox)
    assert wake.wait(LONG)
    lease = inbox.claim(job_id)
    assert lease is not None
    assert woken(wake, lambda: inbox.release(lease))
    lease = inbox.claim(job_id)
    assert lease is not None
    inbox.fail(lease, lease.files[0], RuntimeError())
    assert woken(wake, lambda: inbox.finish(lease))  # a place is free
    assert woken(wake, lambda: inbox.retry(job_id))


def test_a_job_that_is_taken_back_wakes(inbox: Inbox, wake: Wake, database_url: str) -> None:
    """The reaper need not be the one that dispatches."""
    job_id = submit(inbox)
    assert wake.wait(LONG)
    assert inbox.claim(job_id) is not None

    def reap() -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute("set inbox.clock_offset = '1 hour'")
            connection.execute("select inbox_reap_jobs()")

    assert woken(wake, reap)
    assert inbox.get(job_id).status == JobStatus.PENDING


def test_work_on_files_does_not_wake(inbox: Inbox, wake: Wake) -> None:
    """A job of many files does not have dispatch look at every one of them."""
    job_id = submit(inbox)
    assert wake.wait(LONG)
    lease = inbox.claim(job_id)
    assert lease is not None
    inbox.store.start(lease, lease.files[0])
    inbox.store.record_failure(lease, lease.files[0], BROKEN)
    assert not wake.wait(SHORT)


def test_a_connection_that_is_cut_is_made_anew(inbox: Inbox, wake: Wake, database_url: str) -> None:
    """Nothing is raised, the wait lasts as long as it was to, and the next one listens again."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'document-inbox-wake' and datname = current_database()"
        )
    began = time.monotonic()
    assert not wake.wait(SHORT)
    assert time.monotonic() - began >= SHORT
    assert wake.wait(LONG)  # what was told meanwhile was not heard, so look
    assert woken(wake, lambda: submit(inbox))


def test_a_database_that_is_away_is_slept_through() -> None:
    """Listening is never what fails."""
    with closing(PostgresWake("postgresql://nobody@127.0.0.1:1/none")) as wake:
        assert not wake.wait(SHORT)
        assert not wake.wait(SHORT)


# -- Realtime -------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RealtimeServer]:
    """A server that can fail, and a client that does not wait long before it tries again."""
    monkeypatch.setattr(realtime, "SECONDS_BETWEEN_TRIES", 0.05)
    with RealtimeServer() as running:
        yield running


def listen(server: RealtimeServer) -> RealtimeWake:
    """Ears on a project whose Realtime is this server."""
    return RealtimeWake(Project(url=server.url, key="sb_secret_x", kind=KeyKind.SECRET))


def test_realtime_wakes(server: RealtimeServer) -> None:
    """It hears of jobs that wait, and of nothing else."""
    with closing(listen(server)) as wake:
        assert wake.wait(LONG)  # it begins to hear
        [asked] = server.asked["config"]["postgres_changes"]
        assert asked == {
            "event": "*",
            "schema": "public",
            "table": "inbox_jobs",
            "filter": "status=eq.pending",
        }
        assert woken(wake, server.tell)


def test_realtime_that_ends_is_found_again(server: RealtimeServer) -> None:
    """A connection that closes costs the time until the next one."""
    with closing(listen(server)) as wake:
        assert wake.wait(LONG)
        server.close_connections()
        assert wake.wait(LONG)  # it hears again
        assert woken(wake, server.tell)


@pytest.mark.parametrize("behaviour", ["refuse", "mute", "deny"])
def test_realtime_that_does_not_work_is_slept_through(
    server: RealtimeServer, behaviour: str
) -> None:
    """Dispatch goes on as if there were none; when it works again it wakes again."""
    server.behaviour = behaviour
    with closing(listen(server)) as wake:
        for _ in range(3):
            began = time.monotonic()
            assert not wake.wait(SHORT)
            assert SHORT <= time.monotonic() - began < LONG
        if behaviour != "mute":  # which is given up after ten seconds
            server.behaviour = "well"
            assert wake.wait(LONG)


def test_what_realtime_sends_is_not_logged(
    server: RealtimeServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither rows nor the key get into the logs of a worker."""
    with caplog.at_level(logging.DEBUG), closing(listen(server)) as wake:
        assert wake.wait(LONG)
        server.babble()
        assert woken(wake, server.tell)
    assert "Zyzzyva" not in caplog.text
    assert "sb_secret_x" not in caplog.text


def test_realtime_is_used_only_where_it_is_set(server: RealtimeServer) -> None:
    """A project's rows are looked at every few seconds, and Realtime is left alone by default."""
    with Inbox(
        Settings(_env_file=None, supabase_url=server.url, supabase_secret_key="sb_secret_x")  # type: ignore[arg-type]
    ) as inbox:
        with closing(inbox.listen()) as wake:
            assert not wake.wait(SHORT)
        assert not server.joined.is_set()
    with (
        Inbox(
            Settings(
                _env_file=None,
                supabase_url=server.url,
                supabase_secret_key="sb_secret_x",  # type: ignore[arg-type]
                realtime=True,
            )
        ) as inbox,
        closing(inbox.listen()) as wake,
    ):
        assert wake.wait(LONG)
