"""Upgrading: an old part goes on working beside newer tables, a new part stops at older ones."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from local_project import PREPARE, local_project
from pydantic import SecretStr
from queue_scenarios import SCENARIOS
from store_calls import RECORDS, broken, made_by_the_code, record_of, with_types
from whole_life import whole_life

from inbox.errors import MigrationsMissing
from inbox.model import Blob, JobStatus, Upload
from inbox.project import open_project
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.store import migrate, pending_migrations
from inbox.store.calls import Transport
from inbox.store.migrate import HISTORY, migration_files, version_of
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store
from inbox.store.supabase import SupabaseTransport

SUPPORT = Path(__file__).parents[1] / "support"
NEWER = (SUPPORT / "newer_schema.sql").read_text()
SECONDS = 60
VERSIONS = sorted(path.stem for path in RECORDS.glob("*.json"))
DAMAGE = {
    "a function is gone": "drop function public.inbox_heartbeat(uuid, bigint, double precision)",
    "an argument has another name": """
        drop function public.inbox_reap_jobs(integer);
        create function public.inbox_reap_jobs(p_most integer) returns integer
        language sql as 'select 1'""",
    "an argument has another type": """
        drop function public.inbox_reap_jobs(integer);
        create function public.inbox_reap_jobs(p_limit uuid) returns integer
        language sql as 'select 1'""",
    "an argument is asked for that was not": """
        drop function public.inbox_reap_jobs(integer);
        create function public.inbox_reap_jobs(p_limit integer, p_more integer) returns integer
        language sql as 'select 1'""",
    "two functions fit": """
        create function public.inbox_reap_jobs(p_limit text, p_more integer default 1)
        returns integer language sql as 'select 1'""",
    "the answer is of another type": """
        drop function public.inbox_reap_jobs(integer);
        create function public.inbox_reap_jobs(p_limit integer) returns jsonb
        language sql as 'select null::jsonb'""",
}


class Recording:
    """A transport that says which functions were called."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.called: set[str] = set()

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """Call a function."""
        self.called.add(function)
        return self._transport.call(function, arguments)

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()


def execute(url: str, statements: str) -> None:
    """Run some SQL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.encode())


@pytest.fixture
def newer_url(rows_url: str) -> str:
    """A database that is ahead of this program."""
    execute(rows_url, NEWER)
    return rows_url


@pytest.fixture
def recording(
    newer_url: str, transport: str, request: pytest.FixtureRequest
) -> Iterator[Recording]:
    """The way to that database."""
    opened: Transport
    if transport == "postgres":
        opened = PostgresTransport(newer_url, 4)
    else:
        project = request.getfixturevalue("project")
        opened = SupabaseTransport(open_project(project.settings()), 4)
    yield Recording(opened)
    opened.close()


# -- newer tables --------------------------------------------------------------------------


@pytest.mark.parametrize("release", VERSIONS)
def test_what_each_version_calls_is_still_answered(database_url: str, release: str) -> None:
    """What its workers call, with these names and types, gets an answer of the same type."""
    assert broken(json.loads(record_of(release).read_text()), database_url) == {}


def test_the_calls_of_this_version_are_written_down(database_url: str) -> None:
    """The record is what the code does; `python tests/support/store_calls.py` writes it anew."""
    written = json.loads(record_of(version("document-inbox")).read_text())
    assert with_types(made_by_the_code(), database_url) == written


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_migration_that_breaks_an_old_worker_is_seen(database_url: str, damage: str) -> None:
    """Each way in which a function can stop to answer an old call is told."""
    execute(database_url, DAMAGE[damage])
    assert len(broken(json.loads(record_of(VERSIONS[-1]).read_text()), database_url)) == 1


def test_an_old_part_does_everything_beside_newer_tables(recording: Recording) -> None:
    """Columns, arguments and answers that it does not know change nothing, whatever it calls."""
    with Store(recording, lease_seconds=30, patience=1) as store:
        whole_life(store)
    assert recording.called == set(json.loads(record_of(version("document-inbox")).read_text()))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_queue_keeps_its_promises_on_newer_tables(database_url: str, scenario: str) -> None:
    """The same that it keeps on its own."""
    execute(database_url, NEWER)
    SCENARIOS[scenario](database_url)


def test_a_worker_reads_and_labels_on_newer_tables(inbox: Inbox, database_url: str) -> None:
    """The whole trip of a job, with real reading, after the tables changed under an open inbox."""
    assert inbox.list() == ()
    execute(database_url, NEWER)
    job_id = uuid4()
    with inbox.blobs.create(f"{job_id}/1") as blob:
        blob.write(b"INVOICE\nInvoice number: 7\nTotal due: EUR 12.00\n")
        upload = Upload(name="a.txt", blob=blob.commit())
    inbox.submit(job_id, [upload])
    assert inbox.work() == JobStatus.COMPLETED
    result = inbox.get(job_id).result
    assert result is not None
    assert result.results[0].label == "invoice"


def test_an_old_version_finds_nothing_to_migrate(database_url: str) -> None:
    """Its `inbox migrate`, run by mistake after that of a newer version, leaves everything."""
    execute(
        database_url,
        "insert into supabase_migrations.schema_migrations (version) values ('29990101000001')",
    )
    assert pending_migrations(database_url) == []
    assert migrate(database_url) == []


# -- older tables --------------------------------------------------------------------------


@pytest.fixture(params=[1, len(migration_files()) - 1], ids=["much-older", "older"])
def older_settings(
    request: pytest.FixtureRequest, transport: str, empty_database_url: str, tmp_path: Path
) -> Iterator[Settings]:
    """Settings of a database that had only the first few migrations."""
    with ExitStack() as stack:
        if transport == "supabase":
            execute(empty_database_url, PREPARE)
        migrate_to(empty_database_url, request.param)
        if transport == "supabase":
            project = stack.enter_context(local_project(empty_database_url))
            yield project.settings(data_dir=tmp_path)
        else:
            url = SecretStr(empty_database_url)
            yield Settings(_env_file=None, data_dir=tmp_path, database_url=url)


def migrate_to(url: str, count: int) -> None:
    """Apply the first so many migrations, as the version did that had no more."""
    execute(url, HISTORY)
    with psycopg.connect(url, autocommit=True) as connection:
        for file in migration_files()[:count]:
            connection.execute(file.read_bytes())
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version) values (%s)",
                (version_of(file),),
            )


def test_a_new_part_stops_at_older_tables(
    older_settings: Settings, empty_database_url: str
) -> None:
    """It says what to run, before it calls or writes anything."""
    uploads = [Upload(name="a.txt", blob=Blob(key="x"))]
    with Inbox(older_settings, patience=0) as inbox:
        for attempt in (
            lambda: inbox.submit(uuid4(), uploads),
            inbox.claim,
            inbox.reap,
            inbox.pending,
            inbox.list,
        ):
            with pytest.raises(MigrationsMissing, match="run: inbox migrate"):
                attempt()
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("select count(*) from public.inbox_jobs").fetchone()
    assert row == (0,)


def test_a_part_that_stopped_goes_on_once_the_tables_are_there(
    older_settings: Settings, empty_database_url: str
) -> None:
    """Without being started again."""
    uploads = [Upload(name="a.txt", blob=Blob(key="x"))]
    with Inbox(older_settings, patience=0) as inbox:
        with pytest.raises(MigrationsMissing):
            inbox.list()
        migrate(empty_database_url)
        for _ in range(SECONDS * 10):
            try:
                job = inbox.submit(uuid4(), uploads)
            except MigrationsMissing:  # PostgREST looks at the new functions in its own time
                time.sleep(0.1)
            else:
                break
        assert inbox.get(job.job_id).status == JobStatus.PENDING
