"""One run in the worker: start it by forking, and run its hooks when it was killed."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TextIO
from uuid import uuid4

import anyio.abc
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging.loggers import flow_run_logger
from prefect.utilities.processutils import run_process, sanitize_subprocess_env

from prefork import internals, wire
from prefork.given import Given
from prefork.zygotes import ForkedProcess, Gone, Zygotes


class Run:
    """Starts a flow run; Prefect's executor calls `start`.

    Args:
        zygotes: the warm processes.
        modules: what the warm process is to have imported.
        watch: whether changed code makes a fresh warm process.
        environment: the run's variables.
        directory: where it starts.
        given: what it need not ask the server.
        stream_output: whether its output goes to the worker's.
        control_channel: Prefect's channel for cancelling it.
    """

    def __init__(
        self,
        zygotes: Zygotes,
        *,
        modules: list[str],
        watch: bool,
        environment: Mapping[str, str | None],
        directory: Path,
        given: Given,
        stream_output: bool,
        control_channel: Any,
    ) -> None:
        self._zygotes = zygotes
        self._modules = modules
        self._watch = watch
        self._environment = sanitize_subprocess_env(environment)
        self._directory = directory
        self._given = given
        self._stream_output = stream_output
        self._control_channel = control_channel
        self._private = Path(tempfile.mkdtemp(prefix="prefork-"))
        self.process: ForkedProcess | None = None

    def close(self) -> None:
        """Remove what was kept for the hooks."""
        shutil.rmtree(self._private, ignore_errors=True)

    async def start(
        self,
        flow_run: FlowRun,
        task_status: anyio.abc.TaskStatus[internals.ProcessHandle] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Fork, say so, and wait for the end.

        Raises:
            prefork.zygotes.Gone: there is no warm process to be had.
        """
        environment = self._environment | {
            "PREFECT__FLOW_RUN_ID": str(flow_run.id),
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false",
        }
        with suppress(RuntimeError):  # without the channel a cancelled run is just killed
            port, token = self._control_channel.register(flow_run.id)
            environment |= {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
        given = [self._given.model_dump_json()]
        job = wire.Job("run", environment, str(self._directory), str(self._manifest), given)
        try:
            self.process = await self._fork(job)
            with suppress(Gone):  # its exit code says the rest
                await self.process.go()
            task_status.started(internals.handle(self.process))
            await self.process.wait()
        except BaseException:
            if self.process is not None:
                self.process.signal(signal.SIGTERM)
            raise

    def suspend(self, state: State[Any]) -> None:
        """Tell the run that it is being suspended."""
        if self.process is not None:
            self.process.tell(state.model_dump_json())

    async def run(
        self, kind: Literal["cancellation", "crashed"], flow_run: FlowRun, state: State[Any]
    ) -> None:
        """Run the flow's hooks in a process of their own."""
        try:
            await self._hooks(kind, flow_run, state)
        except Exception:  # noqa: BLE001 - as Prefect does: what a hook breaks is logged
            flow_run_logger(flow_run).warning(
                "The on_%s hooks of flow run %s did not run.", kind, flow_run.id, exc_info=True
            )

    async def _hooks(self, kind: str, flow_run: FlowRun, state: State[Any]) -> None:
        manifest = internals.read_model(self._manifest, internals.PreparedWorkspaceManifest)
        files = [self._private / f"{name}-{uuid4()}.json" for name in ("flow-run", "state")]
        for file, model in zip(files, (flow_run, state), strict=True):
            internals.write_private_model(file, model)
        arguments = [kind, *map(str, files)]
        if internals.uses_this_interpreter(manifest):
            directory = str(manifest.working_directory)
            job = wire.Job("hook", manifest.environment, directory, str(self._manifest), arguments)
            process = await self._fork(job)
            await process.go()
            code = await process.wait()
        elif manifest.hook_command is not None:
            ended = await run_process(
                [*manifest.hook_command, kind, str(self._manifest), *arguments[1:]],
                stream_output=self._stream_output,
                cwd=manifest.working_directory,
                env=manifest.environment,
            )
            code = ended.returncode or 0
        else:
            raise RuntimeError("The flow's command is not Python's.")
        if code != 0:
            raise RuntimeError(f"Their process ended with exit code {code}.")

    @property
    def _manifest(self) -> Path:
        return self._private / "workspace.json"

    async def _fork(self, job: wire.Job) -> ForkedProcess:
        with outputs(stream=self._stream_output) as (stdout, stderr):
            # Hooks have the folder of the run's code on their PYTHONPATH, another one each time;
            # the warm process of the run serves for them too.
            return await self._zygotes.fork(
                job, self._modules, self._environment, stdout, stderr, watch=self._watch
            )


@contextmanager
def outputs(*, stream: bool) -> Iterator[tuple[int, int]]:
    """Descriptors for a child's output and errors: the worker's own, or nowhere.

    A child that writes for itself goes on writing when its worker has died.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        yield (_fd(sys.stdout, 1), _fd(sys.stderr, 2)) if stream else (null, null)
    finally:
        os.close(null)


def _fd(stream: TextIO, otherwise: int) -> int:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):  # replaced by something that is no file
        return otherwise
