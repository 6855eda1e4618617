"""The rows: one method per SQL function, over a transport that calls functions.

To add a transport: write a module with a class that has `call` and `close`, then name it in
`open_store`.
"""

from __future__ import annotations

from inbox.settings import Settings
from inbox.store.migrate import migrate, pending_migrations
from inbox.store.store import Store, Transport

__all__ = ["Store", "migrate", "open_store", "pending_migrations"]


def open_store(settings: Settings, url: str | None, *, connections: int, patience: float) -> Store:
    """Open the rows.

    Args:
        settings: how long a lease lasts, and the Supabase project where `url` is None.
        url: the Postgres to use; None for the Supabase project of the settings.
        connections: most connections to hold.
        patience: seconds to keep trying while the database does not answer.

    Raises:
        ConfigurationError: the settings name no usable Supabase project.
    """
    return Store(_open_transport(settings, url, connections), settings.lease_seconds, patience)


def _open_transport(settings: Settings, url: str | None, connections: int) -> Transport:
    if url is None:
        from inbox.project import open_project
        from inbox.store.supabase import SupabaseTransport

        return SupabaseTransport(open_project(settings), connections)
    from inbox.store.postgres import PostgresTransport

    return PostgresTransport(url, connections)
