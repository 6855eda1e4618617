"""Following a file while it is read: its progress goes to the rows, its pages are remembered."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from inbox.errors import InboxError, StopWork, StoreUnavailable
from inbox.holding import Holding
from inbox.model import Document, File, Page
from inbox.store import Store

EVERY_SECONDS = 0.5  # between two words on the progress of one file
MAX_PAGE_BYTES = 1024 * 1024  # a longer page is no page: a sheet, a log; it is read again instead
MAX_BATCH_BYTES = 2 * 1024 * 1024
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024


class Follower:
    """Writes down what was read of a file, as it is read; see `inbox.extract.Watcher`.

    Pages are written one by one as they come, before the next is begun by the same thread: what a
    kill costs is the pages that were under way. Nothing here may cost a file its result, so what
    the database does not take now is written with the next page, or not at all.

    Args:
        store: the rows, with little patience.
        holding: the lease.
        file: what is read.
        sha256: digest of its bytes.
        keep: whether pages are remembered.
    """

    def __init__(
        self, store: Store, holding: Holding, file: File, sha256: str, *, keep: bool
    ) -> None:
        self._store, self._holding, self._file, self._sha256 = store, holding, file, sha256
        self._keep = keep
        self._lock = threading.Lock()
        self._recipe = ""
        self._waiting: list[Page] = []
        self._kept: set[int] = set()
        self._at_once = 0
        self._told_at = -EVERY_SECONDS

    def known(self, recipe: str, wanted: Collection[int]) -> Mapping[int, Page]:
        """Pages that this client's earlier jobs, or earlier attempts, have read."""
        self._recipe = recipe
        if not self._keep or not wanted:
            return {}
        found = recall(self._store, self._holding.lease.client_id, self._sha256, recipe, wanted)
        self._kept = set(found)
        return found

    def begun(self, done: int, total: int) -> None:
        """Say what costs nothing."""
        self._at_once = done
        with self._lock:
            self._tell(done, total)

    def found(self, pages: Sequence[Page], done: int, total: int) -> None:
        """Remember these pages, and now and then say how far the file is."""
        self._holding.progress()
        with self._lock:
            self._remember(pages)
            if done == total or time.monotonic() - self._told_at >= EVERY_SECONDS:
                self._tell(done, total)

    def whole(self, document: Document) -> None:
        """Remember what is left of the document, so that it can be shown."""
        sizes = [len(page.text.encode("utf-8", "replace")) for page in document.pages]
        if (
            not self._keep
            or sum(sizes) > MAX_DOCUMENT_BYTES
            or max(sizes, default=0) > (MAX_PAGE_BYTES)
        ):
            return
        with self._lock:
            left = [page for page in document.pages if page.number not in self._kept]
            self._waiting.clear()
            *batches, last = [*batched(left)] or [[]]
            for batch in batches:
                self._write(batch, whole=False)
            self._write(last, whole=True)

    def _remember(self, pages: Sequence[Page]) -> None:
        if not self._keep:
            return
        self._waiting += [page for page in pages if len(page.text) <= MAX_PAGE_BYTES]
        if self._waiting and self._write(self._waiting, whole=False):
            self._kept |= {page.number for page in self._waiting}
            self._waiting = []

    def _write(self, pages: Sequence[Page], *, whole: bool) -> bool:
        lease = self._holding.lease
        try:
            self._store.keep_pages(
                lease, self._file, self._sha256, self._recipe, pages, whole=whole
            )
        except StopWork:
            raise
        except StoreUnavailable:
            return False
        except InboxError:  # what cannot be stored will not be stored the next time either
            return True
        return True

    def _tell(self, done: int, total: int) -> None:
        self._told_at = time.monotonic()
        with suppress(StoreUnavailable):
            self._store.progress(self._holding.lease, self._file, done, total, self._at_once)


class Recaller:
    """Knows what was read before, and writes nothing; see `inbox.extract.Watcher`."""

    def __init__(self, store: Store, client_id: str, sha256: str) -> None:
        self._store, self._client_id, self._sha256 = store, client_id, sha256

    def known(self, recipe: str, wanted: Collection[int]) -> Mapping[int, Page]:
        """Pages that the client's jobs have read."""
        return (
            {} if not wanted else recall(self._store, self._client_id, self._sha256, recipe, wanted)
        )

    def begun(self, _done: int, _total: int) -> None:
        """Nobody waits for this."""

    def found(self, _pages: Sequence[Page], _done: int, _total: int) -> None:
        """Nothing is kept."""


def recall(
    store: Store, client_id: str, sha256: str, recipe: str, wanted: Collection[int]
) -> dict[int, Page]:
    """The wanted pages that are kept, by number; none where the database does not answer."""
    with suppress(StoreUnavailable):
        return {
            page.number: page
            for page in store.kept_pages(client_id, sha256, recipe)
            if page.number in wanted
        }
    return {}


def batched(pages: Sequence[Page]) -> Iterator[list[Page]]:
    """The pages in lists that one call may carry."""
    batch: list[Page] = []
    size = 0
    for page in pages:
        if batch and size + len(page.text) > MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(page)
        size += len(page.text)
    if batch:
        yield batch
