"""The rows: one method per SQL function, over a transport that calls functions.

To add a transport: write a module with a class that has `call` and `close`, then name it in
`open_store`.
"""

from __future__ import annotations

from inbox.settings import Settings
from inbox.store.migrate import migrate, pending_migrations
from inbox.store.store import Store

__all__ = ["Store", "migrate", "open_store", "pending_migrations"]


def open_store(settings: Settings, url: str, *, connections: int, patience: float) -> Store:
    """Open the rows.

    Args:
        settings: where the rows are and how long a lease lasts.
        url: the Postgres to use.
        connections: most connections to hold.
        patience: seconds to keep trying while the database does not answer.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    from inbox.store.postgres import PostgresTransport

    return Store(PostgresTransport(url, connections), settings.lease_seconds, patience)
