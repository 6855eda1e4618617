"""SQL functions over a Postgres connection."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from inbox.errors import InvalidRequest, StoreUnavailable
from inbox.store.refusals import refusal

# A statement that takes longer is stuck behind a lock or a broken server; it is repeated.
OPTIONS = "-c statement_timeout=8000 -c lock_timeout=5000 -c timezone=UTC"
CHANNEL = "inbox_wake"
FRESH_SECONDS = 1.0  # a connection that was used so lately is taken to be alive


class _Connection(psycopg.Connection[Any]):
    """A connection that knows when it was last of use, by the monotonic clock."""

    used_at = 0.0


class PostgresTransport:
    """Calls functions over a pool of psycopg connections; safe for several threads.

    Args:
        url: a postgresql:// URL.
        connections: most connections to hold.
    """

    def __init__(self, url: str, connections: int) -> None:
        self._pool: ConnectionPool[_Connection] = ConnectionPool(
            url,
            connection_class=_Connection,
            min_size=0,
            max_size=connections,
            num_workers=1,  # a thread that opens connections; a run seldom needs two
            timeout=5,
            reconnect_timeout=5,
            kwargs={
                "autocommit": True,
                "row_factory": scalar_row,
                "connect_timeout": 5,
                "options": OPTIONS,
                "application_name": "document-inbox",
            },
            check=_check,
            open=False,
        )

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """Call a function; see `inbox.store.store.Transport`."""
        query = sql.SQL("select public.{}({})").format(
            sql.Identifier(function),
            sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
                for name in arguments
            ),
        )
        values = {name: _adapt(value) for name, value in arguments.items()}
        try:
            self._pool.open()
            with self._pool.connection() as connection:
                found = connection.execute(query, values).fetchone()
                connection.used_at = time.monotonic()
                return found
        except (psycopg.OperationalError, psycopg.InterfaceError) as failure:
            raise StoreUnavailable(
                f"the database does not answer: {_first_line(failure)}"
            ) from None
        except psycopg.Error as failure:
            if failure.sqlstate is None:  # psycopg itself could not send the values
                raise InvalidRequest("a value cannot be stored") from None
            message, detail = failure.diag.message_primary, failure.diag.message_detail
            raise refusal(failure.sqlstate, message or "", detail or "") from None

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


def _check(connection: _Connection) -> None:
    if time.monotonic() - connection.used_at > FRESH_SECONDS:
        ConnectionPool.check_connection(connection)


class PostgresWake:
    """Listens for what the triggers tell; see `inbox.store.wake.Wake`.

    It has a connection of its own, and does without one for as long as none is to be had: behind
    a pooler that hands out connections by transaction, for example, nothing is ever heard.

    Args:
        url: a postgresql:// URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        try:
            self._listen()
        except psycopg.Error:
            self.close()

    def wait(self, seconds: float) -> bool:
        """Sleep until something is told, at most so long."""
        until = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._listen()
                return True  # what was told meanwhile was not heard
            return self._told(self._connection, until)
        except (psycopg.Error, OSError):
            self.close()
            time.sleep(max(0, until - time.monotonic()))
            return False

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _told(self, connection: psycopg.Connection[Any], until: float) -> bool:
        # Not by psycopg's own wait, which looks ten times a second whether to go on.
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        while (left := until - time.monotonic()) > 0 and poll.poll(left * 1000):
            if list(connection.notifies(timeout=0.1, stop_after=1)):
                return True
        return False

    def _listen(self) -> None:
        self._connection = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=5,
            keepalives_idle=30,
            application_name="document-inbox-wake",
        )
        self._connection.execute(sql.SQL("listen {}").format(sql.Identifier(CHANNEL)))


def _adapt(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict | list) else value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
