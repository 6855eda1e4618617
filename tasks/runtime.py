"""What every task needs: this process's inbox, and when another try can help."""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any
from uuid import UUID

from prefect import Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run

from inbox import PATIENCE_OF_A_WORKER, Inbox, Settings, TransientError


@cache
def settings() -> Settings:
    """The settings, read once per process."""
    return Settings()


@cache
def inbox() -> Inbox:
    """This process's inbox, opened on first use and closed when the process ends."""
    opened = Inbox(settings(), PATIENCE_OF_A_WORKER)
    atexit.register(opened.close)
    return opened


def run_is_cancelling() -> bool:
    """Whether somebody asked Prefect to cancel this flow run; False where it does not answer."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(str(flow_run.id))).state
    except Exception:  # noqa: BLE001 - the process is ending; not knowing means not cancelled
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def error_of(state: State[Any]) -> BaseException:
    """The exception that a failed state carries."""
    found = state.result(raise_on_failure=False)
    return found if isinstance(found, BaseException) else RuntimeError("no exception")


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether the error itself says that another try may succeed."""
    return isinstance(error_of(state), TransientError)
