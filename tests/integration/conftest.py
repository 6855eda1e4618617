"""One real Postgres for the whole run, and a database of its own for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from environment import TRACING
from psycopg import sql
from pydantic import SecretStr
from queue_steps import Submit

from inbox.embedded import EmbeddedPostgres
from inbox.model import Blob, Order, Upload
from inbox.settings import Settings
from inbox.store import migrate
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store

if TYPE_CHECKING:
    from local_project import LocalProject

    from inbox.service import Inbox

TEMPLATE = "migrated"
PROJECT_TEMPLATE = "migrated_project"


@pytest.fixture(autouse=True)
def _follow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let coverage into the processes that a test starts only where the test is about them.

    Nearly every test here has files read in a process of its own, in which coverage takes longer
    than the reading. What happens there is counted in tests/unit/extract.
    """
    if request.node.get_closest_marker("followed") is None:
        for name in [name for name in os.environ if name.startswith(TRACING)]:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server with a migrated database to clone from."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("database")) as server:
        _forgo_safety(server)
        server.ensure_database(TEMPLATE)
        migrate(server.url(TEMPLATE))
        yield server


@pytest.fixture
def server_(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A running server of this test's own, with a database `inbox`."""
    with EmbeddedPostgres(tmp_path) as postgres:
        postgres.ensure_database("inbox")
        yield postgres


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of this test's own, with nothing in it."""
    yield from _database(postgres, "template1")


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A migrated database of this test's own."""
    yield from _database(postgres, TEMPLATE)


@pytest.fixture(scope="session")
def project_template(postgres: EmbeddedPostgres) -> str:
    """A migrated database with what every Supabase project has, to clone from."""
    from local_project import PREPARE

    postgres.ensure_database(PROJECT_TEMPLATE)
    with psycopg.connect(postgres.url(PROJECT_TEMPLATE), autocommit=True) as connection:
        connection.execute(PREPARE)
    migrate(postgres.url(PROJECT_TEMPLATE))
    return PROJECT_TEMPLATE


@pytest.fixture
def project_url(postgres: EmbeddedPostgres, project_template: str) -> Iterator[str]:
    """A migrated database of this test's own, as it is in a Supabase project."""
    yield from _database(postgres, project_template)


@pytest.fixture
def project(project_url: str) -> Iterator[LocalProject]:
    """A Supabase project of this test's own, on `project_url`."""
    from local_project import local_project

    with local_project(project_url) as running:
        yield running


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings for a database and folders of this test's own."""
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        database_url=SecretStr(database_url),
        classifier="lexicon",
        port=0,
    )


@pytest.fixture
def inbox(settings: Settings) -> Iterator[Inbox]:
    """The door, on a database and folders of this test's own."""
    from inbox.service import Inbox

    with Inbox(settings) as opened:
        yield opened


@pytest.fixture(params=["postgres", "supabase"])
def transport(request: pytest.FixtureRequest) -> str:
    """How the functions are called: the promises are the same."""
    return str(request.param)


@pytest.fixture
def rows_url(transport: str, request: pytest.FixtureRequest) -> str:
    """The database of this test, for SQL beside the verbs."""
    name = {"postgres": "database_url", "supabase": "project_url"}[transport]
    return str(request.getfixturevalue(name))


@pytest.fixture
def store(transport: str, rows_url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The verbs, on a database of this test's own."""
    if transport == "postgres":
        opened = Store(PostgresTransport(rows_url, 8), lease_seconds=30, patience=1)
    else:
        from inbox.project import open_project
        from inbox.store.supabase import SupabaseTransport

        project = open_project(request.getfixturevalue("project").settings())
        opened = Store(SupabaseTransport(project, 8), lease_seconds=30, patience=1)
    with opened:
        yield opened


def _forgo_safety(server: EmbeddedPostgres) -> None:
    """No test crashes the machine below this server: its writes need not reach the disk."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for name in ("fsync", "full_page_writes"):
            connection.execute(sql.SQL("alter system set {} = off").format(sql.Identifier(name)))
        connection.execute("select pg_reload_conf()")


def _database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        statement = "create database {name} template {template} strategy file_copy"
        connection.execute(sql.SQL(statement).format(**names))
        try:
            yield server.url(name)
        finally:
            connection.execute(sql.SQL("drop database {name} with (force)").format(**names))


@pytest.fixture
def submit(store: Store) -> Submit:
    """Submits a job of some files; answers its id."""

    def submit(files: int = 2, client_id: str = "local", max_attempts: int = 5) -> UUID:
        job_id = uuid4()
        uploads = [
            Upload(name=f"{n}.txt", blob=Blob(key=f"{job_id}/{n}", sha256="0" * 64, size=9))
            for n in range(1, files + 1)
        ]
        order = Order(uploads=tuple(uploads), client_id=client_id, max_attempts=max_attempts)
        store.submit(job_id, order)
        return job_id

    return submit
