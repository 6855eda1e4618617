"""Wakes a worker when there may be something to start, so that it need not poll often."""

from __future__ import annotations

import logging
import random
from collections import deque
from typing import Any
from uuid import UUID

import anyio
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

NAMES = [f"prefect.flow-run.{name}" for name in ("Scheduled", "AwaitingRetry", "Resuming")]
SECONDS_BETWEEN_LOOKS = 0.05
PAUSE_FOR_EACH = 0.05  # seconds for each run that has begun in the last second
SECONDS_BETWEEN_TRIES = 30.0


class Alarm:
    """What a worker waits for between its looks; events that come in one look make one more.

    Args:
        say: told what goes wrong.
    """

    def __init__(self, say: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._say = say
        self._set = anyio.Event()
        self._begun: deque[float] = deque()

    def begun(self, runs: int) -> None:
        """So many runs begin now: the more, the longer until the next look.

        Many runs that come one after the other are so found together, and those that are under
        way are not held up by looking for more.
        """
        self._begun.extend([anyio.current_time()] * runs)

    def set(self) -> None:
        """End the wait that is under way, or the next."""
        self._set.set()

    async def wait(self, seconds: float) -> None:
        """Wait until it is set, at most about this long."""
        while self._begun and self._begun[0] < anyio.current_time() - 1:
            self._begun.popleft()
        await anyio.sleep(min(1, SECONDS_BETWEEN_LOOKS + PAUSE_FOR_EACH * len(self._begun)))
        with anyio.move_on_after(seconds * random.uniform(0.7, 1.3)):  # noqa: S311 - as Prefect
            await self._set.wait()
        self._set = anyio.Event()

    async def listen(self, work_pool: UUID) -> None:
        """Be set by the events of runs that were scheduled in a pool, until cancelled."""
        wanted = EventFilter(
            event=EventNameFilter(name=NAMES),
            any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{work_pool}"]),
        )
        while True:
            try:
                async with get_events_subscriber(filter=wanted) as events:
                    async for _ in events:
                        self.set()
            except Exception:  # noqa: BLE001 - polling goes on
                self._say.debug("Events do not arrive.", exc_info=True)
            await anyio.sleep(SECONDS_BETWEEN_TRIES)
