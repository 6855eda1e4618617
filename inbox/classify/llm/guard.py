"""What all tasks of a process share towards one server: its pace, and whether it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from inbox.errors import ModelAway

if TYPE_CHECKING:
    from langchain_core.rate_limiters import InMemoryRateLimiter

_PAUSE = 0.1
_LONGEST_AWAY = 3600.0
# Different documents in a row that a server fails on before it, and not they, is to blame.
_FAULTS = 3
_AWAY = "The model's server answers nobody at the moment."


class Pace:
    """No more calls than the settings allow, and none while the server asks for patience."""

    def __init__(self, per_minute: float | None) -> None:
        self._per_minute = per_minute
        self._not_before = 0.0

    @cached_property
    def _limiter(self) -> InMemoryRateLimiter | None:
        if self._per_minute is None:
            return None
        from langchain_core.rate_limiters import InMemoryRateLimiter

        second = self._per_minute / 60
        return InMemoryRateLimiter(requests_per_second=second, max_bucket_size=max(second, 1))

    def hold_off(self, seconds: float) -> None:
        """Let nobody call for so long."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def wait(self, still: Callable[[], None]) -> None:
        """Return when it is the caller's turn; `still` is called meanwhile, and may raise."""
        still()
        while time.monotonic() < self._not_before or not self._turn():
            time.sleep(_PAUSE)
            still()

    def _turn(self) -> bool:
        return self._limiter is None or self._limiter.acquire(blocking=False)


class Breaker:
    """A circuit breaker (M. Nygard, Release It!).

    It opens when a server turns every try of a document away as overloaded or absent, or fails on
    several different documents in a row; after a while one caller tries again.

    Args:
        seconds: how long it stays open where the server does not ask for more.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._until: float | None = None
        self._failing: set[str] = set()

    def check(self) -> None:
        """Let a call pass.

        Raises:
            ModelAway: the server is left alone now.
        """
        with self._lock:
            if self._until is None:
                return
            left = self._until - time.monotonic()
            if left > 0:
                raise ModelAway(_AWAY, left)
            # This caller tries; the others wait for what it finds.
            self._until = time.monotonic() + self._seconds

    def answered(self) -> None:
        """The server gave an answer, good or bad."""
        with self._lock:
            self._until = None
            self._failing.clear()

    def failed(self, document: str, *, away: bool, asked: float | None) -> None:
        """All tries of a document failed.

        Args:
            document: which.
            away: the server says itself that it serves nobody, or is not there.
            asked: how many seconds it wants to be left alone.

        Raises:
            ModelAway: it is left alone from now on.
        """
        with self._lock:
            self._failing.add(document)
            if not away and len(self._failing) < _FAULTS:
                return
            seconds = min(max(asked or 0.0, self._seconds), _LONGEST_AWAY)
            self._until = time.monotonic() + seconds
        raise ModelAway(_AWAY, seconds)
