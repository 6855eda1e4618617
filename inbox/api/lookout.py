"""One look at the database for everybody who waits for news of a job.

However many wait, and for however many jobs, there is one query every so often while anybody does,
and none while nobody does. It works over every transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from enum import Enum, auto
from uuid import UUID

from inbox.errors import InboxError

BATCH = 500
log = logging.getLogger(__name__)


class News(Enum):
    """What a wait ends with."""

    MORE = auto()  # there are newer events
    NONE = auto()  # the time is over
    GONE = auto()  # the job is
    CLOSING = auto()  # the server stops


class Lookout:
    """Looks for news while somebody waits.

    Args:
        look: the number of the last event of each of these jobs that exist.
        interval: seconds between two looks.
    """

    def __init__(self, look: Callable[[Sequence[UUID]], dict[UUID, int]], interval: float) -> None:
        self._look, self._interval = look, interval
        self._waiting: dict[UUID, dict[asyncio.Future[News], int]] = {}
        self._wanted = asyncio.Event()
        self._closing = False

    async def news(self, job_id: UUID, after: int, seconds: float) -> News:
        """Wait for an event with a higher number than `after`, at most so many seconds."""
        if self._closing:
            return News.CLOSING
        future: asyncio.Future[News] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, {})[future] = after
        self._wanted.set()
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return News.NONE
        finally:
            waiting = self._waiting.get(job_id, {})
            waiting.pop(future, None)
            if not waiting:
                self._waiting.pop(job_id, None)

    async def run(self) -> None:
        """Look, for as long as the task lives."""
        while True:
            if not self._waiting:
                self._wanted.clear()
                await self._wanted.wait()
            await self._look_once()
            await asyncio.sleep(self._interval)

    def close(self) -> None:
        """Send everybody home: the server stops."""
        self._closing = True
        for waiting in self._waiting.values():
            for future in waiting:
                _tell(future, News.CLOSING)

    @property
    def waiters(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    async def _look_once(self) -> None:
        ids = list(self._waiting)
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            try:
                found = await asyncio.to_thread(self._look, batch)
            except InboxError as error:  # whoever waits goes on waiting
                log.warning("events: %s", error.code)
                await asyncio.sleep(self._interval * 4)
                return
            for job_id in batch:
                last = found.get(job_id)
                for future, after in self._waiting.get(job_id, {}).items():
                    if last is None:
                        _tell(future, News.GONE)
                    elif last > after:
                        _tell(future, News.MORE)


def _tell(future: asyncio.Future[News], news: News) -> None:
    if not future.done():
        future.set_result(news)
