"""Looks for pending jobs, when it is woken and every few seconds, and starts a run for each."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.runtime import flow_run

from tasks.hooks import dispatch_crashed
from tasks.launch import Launcher
from tasks.runtime import inbox, settings


@flow(
    name="dispatch",
    flow_run_name="dispatch",
    persist_result=False,
    on_crashed=[dispatch_crashed],
)
def dispatch() -> int:
    """Reap and launch until this run's time is over; how many runs were started.

    The time counts from when the run was due, so that late runs, which pile up while no worker
    is there, look once and end.
    """
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    until = due + timedelta(seconds=settings().dispatch_run_seconds)
    if due.minute == 0:
        inbox().sweep()
    # Listening begins before the first look, so that nothing comes between.
    with closing(inbox().listen()) as wake, Launcher(inbox()) as launcher:
        while True:
            launcher.look()
            left = (until - datetime.now(UTC)).total_seconds()
            if left <= 0:
                return launcher.started
            wake.wait(min(settings().dispatch_interval_seconds, left))
