"""The parts of Prefect that are not its public interface, all of them here and in `given`.

Written against Prefect 3.8.8, whose process worker is put together from these same parts. A test
compares their signatures with `EXPECTED`, so that an upgrade that moves one of them fails there
and not in a run.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

import anyio
import prefect.context
from prefect import flow_engine
from prefect._internal.observers import FlowRunSuspendingObserver
from prefect.client import orchestration
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import DeploymentResponse
from prefect.logging.configuration import setup_logging
from prefect.logging.handlers import APILogHandler
from prefect.runner import _workspace_runtime_bootstrap as bootstrap
from prefect.runner import _workspace_supervisor as supervisor
from prefect.runner._flow_run_executor import (
    FlowRunExecutionResult,
    FlowRunExecutor,
    FlowRunExecutorContext,
)
from prefect.runner._process_manager import ProcessHandle, create_isolated_termination_scope
from prefect.runner._workspace_resolver import PreparedWorkspace, prepare_workspace
from prefect.runner._workspace_runtime import (
    PreparedWorkspaceManifest,
    read_model,
    write_private_model,
)
from prefect.runner._workspace_starter import _workspace_command, workspace_environment
from prefect.settings import PREFECT_API_URL, PREFECT_PROFILES_PATH
from prefect.utilities.processutils import (
    command_from_string,
    get_sys_executable,
    sanitize_subprocess_env,
)
from pydantic import BaseModel

__all__ = [
    "FlowRunExecutionResult",
    "PreparedWorkspaceManifest",
    "ProcessHandle",
    "read_model",
    "write_private_model",
]

TESTED_WITH = "3.8.8"
EXPECTED = {
    prepare_workspace: "(client, flow_run, deployment, workspace_root)",
    workspace_environment: "(workspace)",
    _workspace_command: "(workspace, explicit_command, *, environment)",
    supervisor._hook_command: "(command)",
    supervisor._restore_runner_environment: "(environment, runner_environment)",
    supervisor._runner_owns_environment_key: "(key)",
    bootstrap.main: "(argv=None)",
    FlowRunExecutorContext.create_executor: (
        "(self, flow_run, starter, resolve_flow=None, propose_submitting=True, hook_runner=None)"
    ),
    FlowRunExecutor.submit: "(self, task_status=<anyio._core._tasks._IgnoredTaskStatus object>)",
    create_isolated_termination_scope: "(pid)",
    FlowRunSuspendingObserver._create_watch: "(self, flow_run_id)",
    flow_engine._send_heartbeats: "(engine, join_on_exit=True)",
    prefect.context.refresh_global_settings_context: "()",
    setup_logging: "(incremental=None)",
}


# -- in the warm process and its children ---------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a flow is to run.

    Attributes:
        environment: all variables.
        directory: the working directory.
        command: the program to become; None: this interpreter will do.
    """

    environment: dict[str, str]
    directory: str
    command: list[str] | None


SETTINGS_FILES = (".env", "prefect.toml", "pyproject.toml")


def warm_up() -> None:
    """Load what a first client loads, and cut what each run would do over again."""
    orchestration.__dict__["ssl"] = _CachingSSL()
    heartbeats = flow_engine._send_heartbeats

    def without_waiting(engine: Any, join_on_exit: bool = True) -> Any:  # noqa: ARG001, FBT001, FBT002
        return heartbeats(engine, join_on_exit=False)

    # The thread looks once a second whether it should end, and would be waited for.
    flow_engine._send_heartbeats = without_waiting
    if PREFECT_API_URL.value():
        get_client(sync_client=True)
    _complete_models()


def _complete_models() -> None:
    """Prefect's models build their validators when they are first used, which is in each run."""
    waiting: list[type[BaseModel]] = [BaseModel]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if not model.__pydantic_complete__ and model.__module__.startswith("prefect."):
            model.model_rebuild(raise_errors=False)


class _CachingSSL:
    """Python's ssl module as Prefect's client uses it, reading each file of authorities once.

    Every client makes a context of its own, which takes longer than the request it is made for.
    """

    def __init__(self) -> None:
        self._contexts: dict[tuple[str | None, int], ssl.SSLContext] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(ssl, name)

    def create_default_context(self, *, cafile: str | None = None) -> ssl.SSLContext:
        if cafile is None:  # the caller changes it
            return ssl.create_default_context()
        key = (cafile, Path(cafile).stat().st_mtime_ns)
        if key not in self._contexts:
            self._contexts[key] = ssl.create_default_context(cafile=cafile)
        return self._contexts[key]


def settings_sources() -> Any:
    """What Prefect's settings are read from: if this has not changed, neither have they."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PREFECT_") and not name.startswith("PREFECT__")
    }
    files = [*map(Path, SETTINGS_FILES), PREFECT_PROFILES_PATH.value()]
    return variables, [file.stat().st_mtime_ns if file.exists() else None for file in files]


def refresh_settings(before: Any) -> Any:
    """Make this process's environment and folder Prefect's settings.

    Args:
        before: what the present settings were read from.

    Returns:
        What they are read from now.
    """
    now = settings_sources()
    if now != before:
        prefect.context.refresh_global_settings_context()
        if _logging(before[0]) != _logging(now[0]):
            setup_logging(incremental=False)
    return now


def _logging(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith("PREFECT_LOGGING")}


def prepare(manifest: str, flow_run: FlowRun, deployment: DeploymentResponse) -> Place:
    """Pull the flow's code as Prefect's process worker does, and say where it is."""
    command_by_default = [get_sys_executable(), "-m", "prefect.engine"]
    owned = {
        name: value
        for name, value in os.environ.items()
        if supervisor._runner_owns_environment_key(name)
    }
    workspace, environment, selected = anyio.run(_prepare, flow_run, deployment, owned)
    command = command_from_string(selected) if selected is not None else command_by_default
    environment["PREFECT__FLOW_ENTRYPOINT"] = workspace.runtime_entrypoint
    write_private_model(
        Path(manifest),
        PreparedWorkspaceManifest(
            working_directory=workspace.working_directory,
            project_root=workspace.project_root,
            runtime_entrypoint=workspace.runtime_entrypoint,
            hook_command=supervisor._hook_command(command),
            environment=environment,
        ),
    )
    return Place(
        environment=environment,
        directory=str(workspace.working_directory),
        command=command if selected is not None else None,
    )


async def _prepare(
    flow_run: FlowRun, deployment: DeploymentResponse, owned: dict[str, str]
) -> tuple[PreparedWorkspace, dict[str, str], str | None]:
    if deployment.storage_document_id:
        async with get_client() as client:
            workspace = await prepare_workspace(client, flow_run, deployment, Path.cwd())
    else:  # the client is asked for nothing but the storage block
        nobody: Any = None
        workspace = await prepare_workspace(nobody, flow_run, deployment, Path.cwd())
    environment = sanitize_subprocess_env(workspace_environment(workspace))
    supervisor._restore_runner_environment(environment, owned)
    selected = _workspace_command(workspace, None, environment=environment)
    if selected is not None:
        await APILogHandler.aflush()
    return workspace, environment, selected


def run_hooks(manifest: str, kind: str, flow_run: str, state: str) -> int:
    """Run a flow's hooks; the exit code."""
    return bootstrap.main(["hook", kind, manifest, flow_run, state])


def uses_this_interpreter(manifest: PreparedWorkspaceManifest) -> bool:
    """Whether hooks may run in a fork of the warm process."""
    ours = supervisor._hook_command([get_sys_executable(), "-m", "prefect.engine"])
    return manifest.hook_command == ours


# -- in the worker --------------------------------------------------------------------


class Forked(Protocol):
    """A process as its handle needs it."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...


class Running(Protocol):
    """One flow run of this worker."""

    async def run(
        self, kind: Literal["cancellation", "crashed"], flow_run: FlowRun, state: State[Any]
    ) -> None:
        """Run its hooks."""

    def suspend(self, state: State[Any]) -> None:
        """Tell it that it is being suspended."""


def handle(process: Forked) -> ProcessHandle:
    """What Prefect's executor knows a process by; its whole group is signalled."""
    handled: Any = process
    return ProcessHandle(handled, termination_scope=create_isolated_termination_scope(process.pid))


class SharedExecution:
    """One client, control channel and two event subscriptions for the runs of a worker.

    Prefect's process worker opens the first three anew for every run, and the run the last.
    """

    def __init__(self, context: FlowRunExecutorContext) -> None:
        self._context = context
        self._runs: dict[UUID, Running] = {}
        self._suspending = FlowRunSuspendingObserver(on_suspended=self._suspended)
        self._cancelling: defaultdict[UUID, list[asyncio.Future[None]]] = defaultdict(list)
        manager: Any = context._cancellation_manager
        self._manager_cancel = manager.cancel_by_id
        manager._hook_runner = self
        manager.cancel_by_id = self._cancel_by_id

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[SharedExecution]:
        """Enter and leave it in one task."""
        async with FlowRunExecutorContext() as context:
            shared = cls(context)
            async with shared._suspending:
                yield shared

    @property
    def control_channel(self) -> Any:
        """The channel on which an engine is told that it is being cancelled."""
        return self._context.control_channel

    @property
    def hears_events(self) -> bool:
        """Whether cancellations and suspensions arrive as events; if not, they are polled for."""
        observers = (self._context._observer, self._suspending)
        return all(observer._polling_task is None for observer in observers)

    def executor(self, flow_run: FlowRun, starter: Any, running: Running) -> FlowRunExecutor:
        """The executor of one run; `forget` the run at its end."""
        self._runs[flow_run.id] = running
        # What was before this state is over; the run itself looks once, when it begins.
        watch = self._suspending._create_watch(flow_run.id)
        watch.initialize(flow_run.state)
        self._suspending._watches[flow_run.id] = watch
        return self._context.create_executor(
            flow_run, starter, propose_submitting=False, hook_runner=self
        )

    async def forget(self, flow_run_id: UUID) -> None:
        """Wait until nobody is cancelling the run, then drop it."""
        while waiting := self._cancelling.get(flow_run_id):
            await asyncio.wait(waiting)
        self._suspending.remove_in_flight_flow_run_id(flow_run_id)
        self._runs.pop(flow_run_id, None)

    def _suspended(self, flow_run_id: UUID, state: State[Any]) -> None:
        if running := self._runs.get(flow_run_id):
            running.suspend(state)

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        """Part of Prefect's hook runner."""
        if state.is_cancelling() and (running := self._runs.get(flow_run.id)):
            await running.run("cancellation", flow_run, state)

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State[Any]) -> None:
        """Part of Prefect's hook runner."""
        if state.is_crashed() and (running := self._runs.get(flow_run.id)):
            await running.run("crashed", flow_run, state)

    async def _cancel_by_id(self, flow_run_id: UUID) -> None:
        done = asyncio.get_running_loop().create_future()
        self._cancelling[flow_run_id].append(done)
        try:
            await self._manager_cancel(flow_run_id)
        finally:
            done.set_result(None)
            self._cancelling[flow_run_id].remove(done)
            if not self._cancelling[flow_run_id]:
                del self._cancelling[flow_run_id]
