"""The worker of work pools of type `prefork`.

prefect work-pool create --type prefork my-pool
prefect worker start --pool my-pool
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.abc
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_WORKER_QUERY_SECONDS
from prefect.utilities.processutils import sanitize_subprocess_env
from prefect.workers.process import (
    ProcessJobConfiguration,
    ProcessVariables,
    ProcessWorker,
    ProcessWorkerResult,
)
from pydantic import Field

from prefork import internals
from prefork.alarm import Alarm
from prefork.executions import Executions
from prefork.given import Given, Reads
from prefork.runs import Run
from prefork.zygotes import Zygotes

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import WorkerFlowRunResponse
    from prefect.workers.base import BaseWorkerResult

PATIENCE = 15.0
PRELOAD = (
    "Modules that the warm process imports, so that runs need not; `module:function` also calls the"
    " function, once."
)
CHECK_CODE = (
    "Whether to look, before a run starts, if code has changed since it was imported, and if so to"
    " start a fresh warm process."
)
DRAIN = "Seconds that a run may go on after its worker was told to stop."
STOP = "Seconds between SIGTERM and SIGKILL for a run whose worker was told to stop."


class Drained(Exception):
    """The worker was told to stop, and has no more runs."""


class PreforkJobConfiguration(ProcessJobConfiguration):
    """What a run needs, and how the warm process is to be."""

    preload: list[str] = Field(default_factory=list)
    check_code: bool = Field(default=True)
    drain_seconds: float = Field(default=5, ge=0)
    stop_seconds: float = Field(default=10, ge=0)


class PreforkVariables(ProcessVariables):
    """The variables of a pool of this type."""

    preload: list[str] = Field(default_factory=list, description=PRELOAD)
    check_code: bool = Field(default=True, title="Check Code", description=CHECK_CODE)
    drain_seconds: float = Field(default=5, ge=0, title="Drain Seconds", description=DRAIN)
    stop_seconds: float = Field(default=10, ge=0, title="Stop Seconds", description=STOP)


class PreforkWorkerResult(ProcessWorkerResult):
    """How a run ended."""


class PreforkWorker(ProcessWorker):
    """Starts each flow run by forking a process that has imported everything already.

    Where that cannot be, runs start as on a pool of type process: on macOS and Windows, on a Linux
    without pidfd (before 5.3), and where the pool or the deployment sets `command`.
    """

    type: str = "prefork"
    job_configuration = PreforkJobConfiguration
    job_configuration_variables = PreforkVariables  # type: ignore[assignment]
    _display_name = "Prefork"
    _description = "Execute flow runs in forks of a warm process. They start at once."
    _documentation_url = ""
    _logo_url = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zygotes = Zygotes(self._logger)
        self._forks = can_fork()
        self._executions = Executions()
        self._under_way: dict[UUID, tuple[Run, PreforkJobConfiguration]] = {}
        self._active = 0
        self._alarm = Alarm(self._logger)
        self._reads: Reads | None = None
        self._stop = asyncio.Event()
        self._hurry = False
        self._drains = False

    # -- life ---------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if not self._forks:
            self._logger.warning(
                "This system cannot fork flow runs; they start as on a pool of type process."
            )
            return self
        self._reads = Reads(self.client)
        self._executions.open(self._runs_task_group)
        await self._warm_up()
        return self

    async def teardown(self, *exc_info: Any) -> None:
        """Wait for the runs that are under way, then let go of the rest."""
        self._executions.close()
        drained = self._stop.is_set() and not self._active
        await super().teardown(*((None, None, None) if drained else exc_info))
        self._zygotes.close()

    async def start(
        self,
        run_once: bool = False,  # noqa: FBT001, FBT002 - as the class above has it
        with_healthcheck: bool = False,  # noqa: FBT001, FBT002
        printer: Callable[..., None] = print,
    ) -> None:
        """Serve until told to stop by SIGTERM or SIGINT, then drain.

        A second signal cuts the grace of the runs short.
        """
        self._drains = self._forks and not run_once
        if self._drains:
            for number in (signal.SIGTERM, signal.SIGINT):
                with contextlib.suppress(ValueError, RuntimeError):  # not in the main thread
                    asyncio.get_running_loop().add_signal_handler(
                        number, self._asked_to_stop, number
                    )
        try:
            async with anyio.create_task_group() as group:
                if self._drains:
                    group.start_soon(self._listen)
                await super().start(run_once, with_healthcheck, printer)
                group.cancel_scope.cancel()
        except* Drained:
            printer(f"Worker {self.name!r} stopped!")

    async def _listen(self) -> None:
        while self._work_pool is None:  # noqa: ASYNC110 - Prefect has no event for it
            await anyio.sleep(1)
        await self._alarm.listen(self._work_pool.id)

    async def _warm_up(self) -> None:
        """Have the pool's warm process ready for its first run."""
        if self._work_pool is None or self._client is None:
            return
        try:
            usual: PreforkJobConfiguration = await self.job_configuration.from_template_and_values(
                base_job_template=self.work_pool.base_job_template, values={}, client=self.client
            )
        except Exception:  # noqa: BLE001 - a run will say so
            return
        environment = sanitize_subprocess_env(
            {**os.environ, **usual._base_environment(), **usual.env}
        )
        if usual.command is None:
            self._zygotes.prepare(usual.preload, environment, watch=usual.check_code)

    # -- runs ---------------------------------------------------------------------------

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Start what is due, at every interval and whenever the alarm is set.

        Raises:
            Drained: the worker was told to stop, and its runs are over.
        """
        if not self._drains:
            return await super().get_and_submit_flow_runs()
        while not self._stop.is_set():
            await super().get_and_submit_flow_runs()
            await self._alarm.wait(PREFECT_WORKER_QUERY_SECONDS.value())
        await self._drain()
        raise Drained

    async def run(  # type: ignore[override]
        self,
        flow_run: FlowRun,
        configuration: PreforkJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Fork a process for the run and wait for its end."""
        if not self._forks or configuration._command_configured:
            return await super().run(flow_run, configuration, task_status)
        deployment = configuration._related_objects.get("deployment")
        if not isinstance(deployment, DeploymentResponse):  # a flow run without any
            raise RuntimeError("Flow run has no deployment")  # noqa: TRY004
        async with contextlib.AsyncExitStack() as stack:
            directory = configuration.working_dir or stack.enter_context(
                tempfile.TemporaryDirectory(suffix="prefect", ignore_cleanup_errors=True)
            )
            shared = await stack.enter_async_context(self._executions.use())
            given = Given.of(
                flow_run,
                deployment,
                configuration._related_objects["flow"],
                self.work_pool,
                await self._reads.default_storage() if self._reads else None,
            )
            run = Run(
                self._zygotes,
                modules=configuration.preload,
                watch=configuration.check_code,
                environment=configuration.env,
                directory=Path(os.path.realpath(directory)),  # noqa: ASYNC240 - a local folder
                given=given,
                stream_output=configuration.stream_output,
                control_channel=shared.control_channel,
            )
            stack.callback(run.close)
            stack.push_async_callback(shared.forget, flow_run.id)
            self._under_way[flow_run.id] = (run, configuration)
            stack.callback(self._under_way.pop, flow_run.id)
            result = await self._execute(shared.executor(flow_run, run, run), task_status)
        return PreforkWorkerResult(
            status_code=result.status_code or 0, identifier=str(result.handle.pid)
        )

    async def _execute(
        self, executor: Any, task_status: anyio.abc.TaskStatus[int] | None
    ) -> internals.FlowRunExecutionResult:
        result: internals.FlowRunExecutionResult | None = None

        async def submit(*, task_status: anyio.abc.TaskStatus[internals.ProcessHandle]) -> None:
            nonlocal result
            result = await executor.submit(task_status=task_status)

        async with anyio.create_task_group() as group:
            handle = await group.start(submit)
            if task_status is not None:
                task_status.started(handle.pid)
        if result is None or result.status_code is None:
            raise RuntimeError("The flow run's process could not be started.")
        return result

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        if self._reads is not None:
            self._reads.forget()
        submitted = await super()._submit_scheduled_flow_runs(flow_run_response)
        self._alarm.begun(len(submitted))
        return submitted

    async def _submit_run_and_capture_errors(
        self,
        flow_run: FlowRun,
        task_status: anyio.abc.TaskStatus[int | Exception] | None = None,
    ) -> BaseWorkerResult | Exception:
        self._active += 1
        try:
            return await super()._submit_run_and_capture_errors(flow_run, task_status)
        finally:
            self._active -= 1
            if self._limiter or (self._work_pool and self._work_pool.concurrency_limit):
                self._alarm.set()  # there is a free slot

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Leave out a state that lasts no longer than it takes to propose it."""

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        if self._runs_task_group is not None:  # nothing waits for them
            self._runs_task_group.start_soon(self._label, flow_run_id)

    async def _label(self, flow_run_id: UUID) -> None:
        try:
            await super()._give_worker_labels_to_flow_run(flow_run_id)
        except Exception:
            self._logger.debug("Could not label flow run %s.", flow_run_id, exc_info=True)

    # -- draining -----------------------------------------------------------------------

    def _asked_to_stop(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            self._hurry = True
            return
        self._stop.set()
        self._alarm.set()
        self._logger.info(
            "Received %s: no new runs, %d under way.", number.name, len(self._under_way)
        )

    async def _drain(self) -> None:
        began = anyio.current_time()
        told: dict[UUID, float] = {}
        while self._active or self._submitting_flow_run_ids:
            now = anyio.current_time()
            for run_id, (run, configuration) in self._under_way.items():
                if run.process is None:
                    continue
                over = now - began >= configuration.drain_seconds or self._hurry
                if run_id not in told and over:
                    told[run_id] = now
                    run.process.signal(signal.SIGTERM)
                elif now - told.get(run_id, now) >= configuration.stop_seconds:
                    run.process.signal(signal.SIGKILL)
            if not self._under_way and now - began >= PATIENCE:
                break  # runs with a command of their own, which end as on a process pool
            await anyio.sleep(0.1)


def can_fork() -> bool:
    """Whether this system can do all that forking needs."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return False
    return True
