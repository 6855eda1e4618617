"""What the runs of one worker share while they are under way."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio
import anyio.abc

from prefork.internals import SharedExecution


class Executions:
    """Shares one of Prefect's execution contexts among the runs of a worker.

    One whose event subscription has broken is replaced, and closed after its last run.
    """

    def __init__(self) -> None:
        self._group: anyio.abc.TaskGroup | None = None
        self._current: _Held | None = None
        self._starting = anyio.Lock()
        self._closing = False

    def open(self, group: anyio.abc.TaskGroup | None) -> None:
        """Where the contexts are to live; they must be entered and left by one task."""
        self._group = group
        self._closing = False

    def close(self) -> None:
        """Close when the last run is over."""
        self._closing = True
        if self._current is not None:
            self._current.retire()

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[SharedExecution]:
        """The shared execution, for one run."""
        async with self._starting:
            held = self._current
            if held is None or held.over.is_set() or not held.shared.hears_events:
                if held is not None:
                    held.retire()
                if self._group is None:
                    raise RuntimeError("The worker does not serve.")
                self._current = held = await self._group.start(_hold)
            held.users += 1
        if self._closing:
            held.retire()
        try:
            yield held.shared
        finally:
            held.users -= 1
            held.let_go()


class _Held:
    """An execution and its users."""

    def __init__(self, shared: SharedExecution) -> None:
        self.shared = shared
        self.users = 0
        self.retired = False
        self.over = anyio.Event()

    def retire(self) -> None:
        self.retired = True
        self.let_go()

    def let_go(self) -> None:
        if self.retired and self.users == 0:
            self.over.set()


async def _hold(*, task_status: anyio.abc.TaskStatus[_Held]) -> None:
    async with SharedExecution.opened() as shared:
        held = _Held(shared)
        task_status.started(held)
        await held.over.wait()
