"""Keeping a lease alive while there is progress.

A thread of its own shows life to the store. It falls silent when the work stalls, so that a
stuck worker loses its job; and it learns there that the job was cancelled or lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from inbox.errors import JobCancelled, JobPostponed, LeaseLost, StopWork, StoreUnavailable
from inbox.model import Heartbeat, Lease


class Holding:
    """A lease that is being kept alive.

    Args:
        lease: what to keep.
        beat: shows life to the store, over a connection that nothing else uses.
        every: seconds between two signs of life.
        stall: seconds without progress after which no more are given.
    """

    def __init__(
        self, lease: Lease, beat: Callable[[Lease], Heartbeat], every: float, stall: float
    ) -> None:
        self.lease = lease
        self.stop = threading.Event()
        self._beat, self._every, self._stall = beat, every, stall
        self.postponed: float | None = None
        self._reason: StopWork | None = None
        self._progress_at = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"heartbeat-{lease.token}", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def progress(self) -> None:
        """Say that a step was made."""
        self._progress_at = time.monotonic()

    def check(self) -> None:
        """Go on only while the job is ours.

        Raises:
            JobCancelled: somebody asked for it.
            LeaseLost: the lease lapsed or passed on.
        """
        if self._reason is not None:
            raise self._reason

    def check_lease(self) -> None:
        """As `check`, but what is done may be written though the job is to be put off.

        Raises:
            JobCancelled: somebody asked for it.
            LeaseLost: the lease lapsed or passed on.
        """
        if self._reason is not None and not isinstance(self._reason, JobPostponed):
            raise self._reason

    def still(self) -> None:
        """Say that a wait goes on as it should.

        Raises:
            StopWork: as `check`.
        """
        self.check()
        self.progress()

    def postpone(self, seconds: float) -> JobPostponed:
        """Start no more of the work: the job is to be put off for so many seconds."""
        self.postponed = max(self.postponed or 0.0, seconds)
        reason = JobPostponed("a service that the job needs is away; it is put off for a while")
        self._end(reason)
        return reason

    def _run(self) -> None:
        while not self._done.wait(self._every):
            if time.monotonic() - self._progress_at > self._stall:
                self._end(LeaseLost("no step was made for too long; the job is given up"))
                return
            try:
                answer = self._beat(self.lease)
            except StoreUnavailable:
                continue  # whatever is written later is fenced by the token
            if answer == Heartbeat.CANCEL:
                self._end(JobCancelled("the job is to be cancelled"))
                # The lease is kept while the work winds down.
            elif answer == Heartbeat.LOST:
                self._end(LeaseLost("the lease lapsed or passed on"))
                return

    def _end(self, reason: StopWork) -> None:
        if self._reason is None or isinstance(self._reason, JobPostponed):
            self._reason = reason
        self.stop.set()
