"""Bring a database up to date.

The bookkeeping is the Supabase CLI's (`supabase_migrations.schema_migrations`), so that
`supabase db push` and `inbox migrate` see each other's work and either may run first.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from inbox.errors import ConfigurationError, StoreUnavailable

HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""
LOCK = 7_264_683_911  # any constant that no one else uses


def migrate(url: str) -> list[str]:
    """Apply what is missing, in order, all or nothing; the names of what was applied.

    Any number of processes may call this at once: an advisory lock lets one in.

    Raises:
        StoreUnavailable: the database does not answer.
        ConfigurationError: a migration does not run on this database.
    """
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            connection.execute(HISTORY)
            missing = list(_missing(connection))
            for file in missing:
                _apply(connection, file)
    except psycopg.OperationalError as failure:
        raise StoreUnavailable(f"the database does not answer: {failure}") from None
    return [file.stem for file in missing]


def pending_migrations(url: str) -> list[str]:
    """The names of the migrations that this database lacks.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    try:
        with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
            known = connection.execute(
                "select to_regclass('supabase_migrations.schema_migrations') is not null"
            ).fetchone()
            files = _missing(connection) if known and known[0] else migration_files()
            return [file.stem for file in files]
    except psycopg.OperationalError as failure:
        raise StoreUnavailable(f"the database does not answer: {failure}") from None


def migration_files() -> list[Path]:
    """The migrations, oldest first: in a wheel beside this module, else in the checkout."""
    here = Path(__file__).parent / "migrations"
    folder = here if here.is_dir() else Path(__file__).parents[2] / "supabase" / "migrations"
    return sorted(folder.glob("*.sql"))


def version_of(file: Path) -> str:
    """The version of a migration, as the history has it: its name up to the first underscore."""
    return file.stem.partition("_")[0]


def _missing(connection: psycopg.Connection[Any]) -> Iterable[Path]:
    rows = connection.execute("select version from supabase_migrations.schema_migrations")
    applied = {version for (version,) in rows.fetchall()}
    return [file for file in migration_files() if version_of(file) not in applied]


def _apply(connection: psycopg.Connection[Any], file: Path) -> None:
    version, _, name = file.stem.partition("_")
    text = file.read_text(encoding="utf-8")
    try:
        connection.execute(text.encode())
    except psycopg.ProgrammingError as failure:
        raise ConfigurationError(f"migration {file.name} does not run: {failure}") from failure
    connection.execute(
        "insert into supabase_migrations.schema_migrations (version, name, statements)"
        " values (%s, %s, %s)",
        (version, name, [text]),
    )
