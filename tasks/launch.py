"""Starting one run for each pending job."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from inbox import Inbox, Pending

DEPLOYMENT = "process-job/process-job"

# A job whose run was started is left alone this long before Prefect is asked about the run.
SECONDS_BETWEEN_CHECKS = 15.0
SECONDS_BETWEEN_REAPS = 1.0
AT_ONCE = 4  # runs asked for at the same time


class Launcher:
    """Starts runs; any number of launchers may look at once. A context manager.

    The idempotency key of a run is the job and its dispatch count, so Prefect makes one of each.

    Attributes:
        started: how many runs were asked for.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._checked: dict[Pending, float] = {}
        self._deployment: UUID | None = None
        self._closing = ExitStack()
        self._client = self._closing.enter_context(get_client(sync_client=True))
        self._threads = self._closing.enter_context(ThreadPoolExecutor(AT_ONCE))
        self._reaped = -SECONDS_BETWEEN_REAPS
        self.started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def look(self) -> None:
        """Return lapsed jobs to the queue, then start a run for every job that waits for one.

        Raises:
            StoreUnavailable: the database does not answer.
            prefect.exceptions.ObjectNotFound: the deployment does not exist.
        """
        now = time.monotonic()
        if now - self._reaped >= SECONDS_BETWEEN_REAPS:  # it is woken far more often
            self._reaped = now
            self._inbox.reap()
        waiting = self._inbox.pending()
        self._checked = {job: at for job, at in self._checked.items() if job in waiting}
        due = [
            job
            for job in waiting
            if now - self._checked.get(job, -SECONDS_BETWEEN_CHECKS) >= SECONDS_BETWEEN_CHECKS
        ]
        self._checked |= dict.fromkeys(due, now)
        # Side by side, as each waits for the server most of the time.
        for _ in self._threads.map(self._launch, due):
            self.started += 1

    def _launch(self, pending: Pending) -> None:
        """Start the job's run; one that is over and left the job pending never claimed it."""
        run = self._run_of(pending)
        if run.state is None or not run.state.is_final():
            return
        if run.state.is_cancelled():
            self._inbox.cancel(pending.job_id)
        else:
            self._inbox.redispatch(pending)

    def _run_of(self, pending: Pending) -> FlowRun:
        """The run of this dispatch: a new one, or the one that was started for it before."""
        known = self._deployment is not None
        try:
            return self._start(pending)
        except ObjectNotFound:
            if not known:
                raise
            self._deployment = None  # it was deleted and made anew
            return self._start(pending)

    def _start(self, pending: Pending) -> FlowRun:
        deployment = self._deployment or self._client.read_deployment_by_name(DEPLOYMENT).id
        self._deployment = deployment
        return self._client.create_flow_run_from_deployment(
            deployment,
            parameters={"job_id": str(pending.job_id)},
            state=Scheduled(),
            name=f"job-{pending.job_id}",
            idempotency_key=f"{pending.job_id}:{pending.dispatch}",
        )


def seconds_of(run_id: UUID) -> float:
    """How long ago a run began, in seconds; 0 where it did not.

    A hook of a run that was killed is given the run as it was before it began, so the server is
    asked.
    """
    with get_client(sync_client=True) as client:
        began = client.read_flow_run(run_id).start_time
    return (datetime.now(UTC) - began).total_seconds() if began else 0.0


def start_dispatch() -> None:
    """Start a dispatch run now.

    Raises:
        prefect.exceptions.ObjectNotFound: the deployment does not exist.
    """
    run_deployment("dispatch/dispatch", timeout=0, as_subflow=False)
