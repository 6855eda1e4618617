"""The pages of one file, read side by side."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import TypeAdapter

from inbox.errors import PermanentError, ReaderCrashed, ReadTimeout
from inbox.extract import again
from inbox.extract.ocr import rapid
from inbox.extract.options import Options
from inbox.extract.plan import Batch, Plan
from inbox.extract.sandbox import Limits, Sandbox, Signal
from inbox.extract.slots import Slots
from inbox.extract.watch import Nobody, Watcher
from inbox.extract.worded import WordedPage
from inbox.model import Page

_PAGES = TypeAdapter(list[Page | WordedPage])


class Fan:
    """One file whose pages are read in several processes at once.

    Attributes:
        found: pages that were read, by their place from 0.
        failed: why others were not.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        slots: Slots,
        path: Path,
        options: Options,
        *,
        limits: Limits,
        page_seconds: float,
        end: float,
        abort: Signal | None,
        secret: Mapping[str, object] | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._slots = slots
        self._path = path
        self._options = options
        self._argument = {"options": options.model_dump(mode="json")}
        self._second = rapid.available()
        self._limits = limits
        self._page_seconds = page_seconds
        self._end = end
        self._abort = abort
        self._secret = secret
        self._watcher = watcher
        self._lock = threading.Lock()
        self._broken: BaseException | None = None
        self.found: dict[int, Page] = {}
        self.failed: list[PermanentError] = []

    def is_set(self) -> bool:
        """Whether reading is to stop: this object is the signal of its own calls."""
        return self._broken is not None or (self._abort is not None and self._abort.is_set())

    def read(self, plan: Plan, on_page: Callable[[int, int], None] | None) -> None:
        """Read what the plan leaves, as far as time and the file allow.

        Raises:
            InboxError: one that is not the file's own fault, or a cancelled job.
        """
        tell, watcher = on_page or _nobody, self._watcher or Nobody()
        total = len(plan.pages)
        done = total - sum(len(batch.pages) for batch in plan.batches)
        waiting = deque(plan.batches)
        if done:
            tell(done, total)
        if waiting:
            watcher.begun(done, total)

        def work() -> None:
            nonlocal done
            try:
                while (batch := self._next(waiting)) is not None:
                    pages = self._one(batch)
                    with self._lock:
                        done += len(batch.pages)
                        by_now = done
                        tell(done, total)
                    watcher.found(pages, by_now, total)
            except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
                with self._lock:
                    self._broken = self._broken or error

        count = min(self._slots.count, len(waiting))
        others = [threading.Thread(target=work, daemon=True) for _ in range(count - 1)]
        for other in others:
            other.start()
        if count:
            work()
        for other in others:
            other.join()
        if self._broken is not None:
            raise self._broken

    def _next(self, waiting: deque[Batch]) -> Batch | None:
        with self._lock:
            return waiting.popleft() if waiting and self._broken is None else None

    def _one(self, batch: Batch) -> list[Page]:
        """Read one batch, or note why not."""
        try:
            with self._slots.one(self._is_over):
                pages = self._ask(batch)
                if self._second:
                    pages = [self._again(batch, page) for page in pages]
        except PermanentError as error:
            with self._lock:
                self.failed.append(error)
            return []
        wanted = {page.place for page in batch.pages}
        pages = [page for page in pages if page.number - 1 in wanted]
        with self._lock:
            self.found |= {page.number - 1: page for page in pages}
        return pages

    def _again(self, batch: Batch, page: Page) -> Page:
        """The page as the second engine reads it, where the first found it hard."""
        if not again.is_hard(page, self._options):
            return page
        wanted = tuple(one for one in batch.pages if one.place == page.number - 1)
        try:
            return self._ask(batch.model_copy(update={"pages": wanted, "first": page}))[0]
        except (PermanentError, IndexError):  # the first engine's reading is still there
            return page

    def _ask(self, batch: Batch) -> list[Page]:
        seconds = self._page_seconds * len(batch.pages)
        left = self._end - time.monotonic()
        if left <= 0:
            raise ReadTimeout("Reading took longer than allowed.")
        answer = self._sandbox.run(
            self._path,
            self._argument | {"batch": batch.model_dump(mode="json")},
            limits=self._limits.model_copy(update={"cpu_seconds": int(seconds) + 1}),
            seconds=min(seconds, left),
            abort=self,
            prepare=None if batch.first is None else "inbox.extract.ocr.rapid:load",
            secret=self._secret,
        )
        try:
            return _PAGES.validate_python(answer)
        except ValueError:
            raise ReaderCrashed("The reading process gave an answer of the wrong form.") from None

    def _is_over(self) -> bool:
        return self.is_set() or time.monotonic() >= self._end


def _nobody(_done: int, _total: int) -> None:
    """Where nobody wants to know."""
