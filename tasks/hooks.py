"""State hooks: write to the rows what a step could no longer say.

Prefect runs a hook in the client and drops what it raises, so nothing depends on a hook: what
it could not write, the lapse of the lease says.
"""

from __future__ import annotations

from typing import Any

from prefect import Flow, Task
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.context import TaskRunContext

from tasks.launch import seconds_of, start_dispatch
from tasks.runtime import error_of, inbox

# A dispatch run that dies sooner than this would only die again.
DISPATCH_SECONDS = 5


def file_failed(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> None:
    """A file's task failed for good: write why, as the file's outcome."""
    if context := TaskRunContext.get():
        inbox().fail(context.parameters["lease"], context.parameters["file"], error_of(state))


def run_ended(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The run completed or failed: finish or hand back the job, if the run still holds it."""
    inbox().run_ended(flow_run.parameters["job_id"], flow_run.id, crashed=False)


def run_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The run's process died: hand back the job; the files it was working on are suspects."""
    inbox().run_ended(flow_run.parameters["job_id"], flow_run.id, crashed=True)


def run_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The run was cancelled in Prefect: cancel the job, unless another run holds it."""
    inbox().run_cancelled(flow_run.parameters["job_id"], flow_run.id)


def dispatch_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The dispatch run's process died: start the next one before its schedule does."""
    if seconds_of(flow_run.id) > DISPATCH_SECONDS:
        start_dispatch()
