"""A Supabase project's Realtime, as a wake-up."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from inbox.project import Project

if TYPE_CHECKING:
    from realtime import RealtimeSubscribeStates

SECONDS_BETWEEN_TRIES = 10.0
SECONDS_TO_CONNECT = 10
CLOSE_SECONDS = 5.0


class RealtimeWake:
    """Hears of jobs that begin to wait; see `inbox.store.wake.Wake`.

    Realtime's connection ends now and then, and sometimes falls silent without ending; so does
    this, and tries again every few seconds. A thread of its own holds it.

    Args:
        project: where, and with which key.
    """

    def __init__(self, project: Project) -> None:
        # They log what they receive where they do not understand it, and addresses with the key.
        logging.getLogger("realtime").setLevel(logging.CRITICAL + 1)
        logging.getLogger("websockets.client").setLevel(logging.INFO)
        self._project = project
        self._told = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._listening = self._loop.create_task(self._listen())
        self._thread = threading.Thread(target=self._run, name="realtime", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Sleep until something is told, at most so long."""
        told = self._told.wait(seconds)
        self._told.clear()
        return told

    def close(self) -> None:
        """Stop listening."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._listening.cancel)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_cancelled())

    async def _until_cancelled(self) -> None:
        with suppress(asyncio.CancelledError):
            await self._listening

    async def _listen(self) -> None:
        while True:
            with suppress(Exception):  # dispatch looks without being told
                await self._subscribe_once()
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)

    async def _subscribe_once(self) -> None:
        """Subscribe, and return when the subscription is over."""
        from realtime import (
            AsyncRealtimeClient,
            RealtimePostgresChangesListenEvent,
            RealtimeSubscribeStates,
        )

        over = asyncio.Event()

        def state(now: RealtimeSubscribeStates, _error: Exception | None) -> None:
            if now == RealtimeSubscribeStates.SUBSCRIBED:
                self._told.set()  # what was submitted meanwhile was not heard
            else:
                over.set()

        client = AsyncRealtimeClient(
            f"{self._project.url}/realtime/v1",
            token=self._project.key,
            auto_reconnect=False,
            max_retries=1,
            timeout=SECONDS_TO_CONNECT,
        )
        try:
            channel = client.channel("inbox-wake")
            channel.on_postgres_changes(
                RealtimePostgresChangesListenEvent.All,
                schema="public",
                table="inbox_jobs",
                filter="status=eq.pending",
                callback=self._changed,
            )
            await channel.subscribe(state)
            await over.wait()
        finally:
            await client.close()

    def _changed(self, _payload: Any) -> None:
        self._told.set()
