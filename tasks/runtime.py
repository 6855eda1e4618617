"""What every task needs: this process's inbox, and when another try can help."""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

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


def error_of(state: State[Any]) -> BaseException:
    """The exception that a failed state carries."""
    found = state.result(raise_on_failure=False)
    return found if isinstance(found, BaseException) else RuntimeError("no exception")


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether the error itself says that another try may succeed."""
    return isinstance(error_of(state), TransientError)
