"""How much is taken at once: requests of one caller, submissions of all."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from inbox.errors import Busy, RateLimited

MOST_BUCKETS = 10_000
BURST_SECONDS = 10.0
SUBMISSION_WAIT_SECONDS = 10.0


class Buckets:
    """A token bucket for each caller: a burst of ten seconds' worth, then a steady rate.

    Each process of the API has its own.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, who: str, per_minute: int) -> None:
        """Count a request.

        Raises:
            RateLimited: there have been too many.
        """
        # Kept as the time at which the bucket is full again (the generic cell rate algorithm).
        now, each = self._clock(), 60 / per_minute
        full_at = max(self._full_at.get(who, 0.0), now) + each
        excess = full_at - now - max(BURST_SECONDS, each)
        if excess > 1e-9:  # noqa: PLR2004 - rounding
            raise RateLimited("too many requests; wait a little", math.ceil(excess))
        self._full_at[who] = full_at
        self._full_at.move_to_end(who)
        if len(self._full_at) > MOST_BUCKETS:
            self._full_at.popitem(last=False)


class Intake:
    """Room for submissions: so many are received at once, others wait a while.

    Args:
        places: submissions that are received at once.
        wait_seconds: how long the others wait.
    """

    def __init__(self, places: int, wait_seconds: float = SUBMISSION_WAIT_SECONDS) -> None:
        self._places = asyncio.Semaphore(places)
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place, for as long as the context lasts.

        Raises:
            Busy: none became free in time.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Busy("too many submissions are being received") from None
        try:
            yield
        finally:
            self._places.release()
