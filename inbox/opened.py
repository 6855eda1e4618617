"""What every use of an inbox begins with: the rows, the bytes, and an orderly end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from inbox import failpoints
from inbox.blobs import Blobs, open_blobs
from inbox.embedded import running_url
from inbox.errors import ConfigurationError
from inbox.project import open_project
from inbox.settings import Settings
from inbox.store import Store, open_store

DATABASE = "inbox"


class Opened:
    """An inbox whose rows and bytes can be reached.

    Use as a context manager, or call `close`. Safe for several threads.

    Args:
        settings: see `Settings`.
        patience: seconds to keep trying while the database does not answer.

    Raises:
        ConfigurationError: no database is configured and none is running in the data folder,
            or the Supabase project of the settings cannot be used.
    """

    def __init__(self, settings: Settings, patience: float) -> None:
        self.settings = settings
        self._closing = ExitStack()
        failpoints.arm(settings.failpoints or "")
        url = address(settings)
        self.store: Store = self._closing.enter_context(
            open_store(settings, url, connections=12, patience=patience, checked=True)
        )
        self._heartbeats: Store = self._closing.enter_context(
            open_store(settings, url, connections=1, patience=settings.heartbeat_seconds)
        )
        # For what may be left unsaid while the database is away.
        self._notes: Store = self.store.with_patience(settings.heartbeat_seconds)
        self.blobs: Blobs = open_blobs(settings)
        self._closing.callback(self.blobs.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections and stop the reading processes."""
        self._closing.close()


def address(settings: Settings) -> str | None:
    """The database that holds the rows; None where it is the Supabase project of the settings.

    Raises:
        ConfigurationError: there is neither, or the project's URL or key cannot be right.
    """
    if settings.uses_supabase:
        open_project(settings)
        return None
    return database_url(settings)


def database_url(settings: Settings) -> str:
    """The database that the settings name, or the embedded one that is running.

    Raises:
        ConfigurationError: there is neither.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    if settings.uses_supabase:
        raise ConfigurationError(
            "this needs a connection to the database itself: set DATABASE_URL to the connection "
            "string of the Supabase project"
        )
    url = running_url(settings.data_dir, DATABASE)
    if url is None:
        raise ConfigurationError(
            "no database: start one with `inbox up` and run this in the same folder, or set "
            "DATABASE_URL to a Postgres of yours"
        )
    return url
