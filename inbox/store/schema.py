"""Whether a database is as new as this program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from inbox.errors import MigrationsMissing
from inbox.model import Health
from inbox.store.calls import Transport
from inbox.store.migrate import migration_files, version_of


class CheckedTransport:
    """Calls functions once it has seen that the database has every migration of this version.

    A function may have kept its name and arguments and changed what it does, so a call that goes
    through proves nothing. A newer database is welcome: migrations only add.

    Args:
        transport: what carries a call.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._new_enough = False

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """Call a function; see `inbox.store.calls.Transport`.

        Raises:
            MigrationsMissing: the database is older than this program; nothing was called.
        """
        if not self._new_enough:
            health = Health.model_validate(self._transport.call("inbox_health", {}))
            if missing := missing_migrations(health.migrations):
                raise MigrationsMissing(
                    f"the database lacks {len(missing)} of the migrations of this version, "
                    f"first {missing[0]}; run: inbox migrate"
                )
            self._new_enough = True
        return self._transport.call(function, arguments)

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()


def missing_migrations(versions: Iterable[str]) -> list[str]:
    """The names of the migrations of this program that are not among these versions."""
    applied = set(versions)
    return [file.stem for file in migration_files() if version_of(file) not in applied]
