"""The rows: one method per SQL function, over a transport that calls functions.

To add a transport: write a module with a class that has `call` and `close`, then name it in
`open_store`.
"""

from __future__ import annotations

from inbox.settings import Settings
from inbox.store.migrate import migrate, pending_migrations
from inbox.store.schema import CheckedTransport
from inbox.store.store import Store, Transport
from inbox.store.wake import Nothing, Wake

__all__ = ["Store", "Wake", "migrate", "open_store", "open_wake", "pending_migrations"]


def open_store(
    settings: Settings,
    url: str | None,
    *,
    connections: int,
    patience: float,
    checked: bool = False,
) -> Store:
    """Open the rows.

    Args:
        settings: how long a lease lasts, and the Supabase project where `url` is None.
        url: the Postgres to use; None for the Supabase project of the settings.
        connections: most connections to hold.
        patience: seconds to keep trying while the database does not answer.
        checked: look before the first call whether the database is as new as this program.

    Raises:
        ConfigurationError: the settings name no usable Supabase project.
    """
    transport = _open_transport(settings, url, connections)
    if checked:
        transport = CheckedTransport(transport)
    return Store(transport, settings.lease_seconds, patience)


def open_wake(settings: Settings, url: str | None) -> Wake:
    """What to sleep on until a job may be waiting.

    Args:
        settings: the Supabase project where `url` is None, and whether its Realtime wakes.
        url: the Postgres in use; None for the Supabase project of the settings.

    Raises:
        ConfigurationError: the settings name no usable Supabase project.
    """
    if url is not None:
        from inbox.store.postgres import PostgresWake

        return PostgresWake(url)
    if not settings.realtime:
        return Nothing()
    from inbox.project import open_project
    from inbox.store.realtime import RealtimeWake

    return RealtimeWake(open_project(settings))


def _open_transport(settings: Settings, url: str | None, connections: int) -> Transport:
    if url is None:
        from inbox.project import open_project
        from inbox.store.supabase import SupabaseTransport

        return SupabaseTransport(open_project(settings), connections)
    from inbox.store.postgres import PostgresTransport

    return PostgresTransport(url, connections)
