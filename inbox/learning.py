"""Corrections as examples for the next documents of the same client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from inbox.classify import LONGEST_EXAMPLE, with_examples
from inbox.errors import InboxError
from inbox.labelling import CorrectedFile
from inbox.model import File, Label
from inbox.store import Store

MOST_CORRECTIONS = 200  # the newest; older ones are forgotten as examples
MOST_READ = 5  # documents that one call reads anew, so that a job is not held up
FRESH_SECONDS = 30.0


class Lessons:
    """What can be learned from the corrections of each client; safe for several threads.

    The text of a corrected file is read anew once and its beginning is kept beside the correction,
    until the job is deleted.

    Args:
        store: where corrections are.
        read: the text of a file; raises InboxError where it cannot be read any more.
    """

    def __init__(self, store: Store, read: Callable[[File], str]) -> None:
        self._store, self._read = store, read
        self._known: dict[str, tuple[float, tuple[tuple[str, str], ...]]] = {}
        self._lock = threading.Lock()

    def taught(
        self, labels: Sequence[Label] | None, client_id: str, most_read: int = MOST_READ
    ) -> tuple[Label, ...] | None:
        """The labels with the client's corrections as examples; as they are where there are none.

        Args:
            labels: what to choose from; None for the default labels.
            client_id: whose corrections count.
            most_read: how many documents may be read for it now.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        examples = self._examples(client_id, most_read)
        if not examples:
            return None if labels is None else tuple(labels)
        return with_examples(labels, examples)

    def _examples(self, client_id: str, most_read: int) -> tuple[tuple[str, str], ...]:
        with self._lock:
            read_at, examples = self._known.get(client_id, (0.0, ()))
            if read_at and time.monotonic() - read_at < FRESH_SECONDS:
                return examples
            examples = self._collect(client_id, most_read)
            self._known[client_id] = time.monotonic(), examples
            return examples

    def _collect(self, client_id: str, most_read: int) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        for each in self._store.corrected_files(client_id, MOST_CORRECTIONS):
            excerpt = each.excerpt
            if excerpt is None and most_read > 0:
                most_read -= 1
                excerpt = self._excerpt(each)
            if excerpt:
                found.append((each.corrected_label, excerpt))
        return tuple(found)

    def _excerpt(self, corrected: CorrectedFile) -> str:
        text = ""
        with suppress(InboxError):  # its bytes are gone or damaged: it teaches nothing
            text = self._read(corrected.file)[:LONGEST_EXAMPLE].replace("\0", " ")
            self._store.keep_excerpt(corrected.file.id, text)
        return text
