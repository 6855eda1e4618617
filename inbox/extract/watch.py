"""Who follows the reading of a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from inbox.model import Page


class Watcher(Protocol):
    """Is told of pages as they are read, and may know some already."""

    def known(self, recipe: str, wanted: Collection[int]) -> Mapping[int, Page]:
        """Pages that need not be read, by their number from 1.

        Args:
            recipe: how they would be read.
            wanted: which would be; may be none.
        """
        ...

    def begun(self, done: int, total: int) -> None:
        """Some pages are still to be read; so many are done, of how many."""
        ...

    def found(self, pages: Sequence[Page], done: int, total: int) -> None:
        """These were read, and so many are done now. May be called from several threads at once.

        What it raises ends the reading of the file.
        """
        ...


class Nobody:
    """Knows nothing and does not listen; see `Watcher`."""

    def known(self, _recipe: str, _wanted: Collection[int]) -> Mapping[int, Page]:
        """No page."""
        return {}

    def begun(self, _done: int, _total: int) -> None:
        """Nothing."""

    def found(self, _pages: Sequence[Page], _done: int, _total: int) -> None:
        """Nothing."""
