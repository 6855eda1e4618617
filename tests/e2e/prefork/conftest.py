"""A real Prefect server, and workers on pools of type prefork, as a stranger has them."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from environment import of_a_stack
from house import PLAIN, wait_until
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun

from inbox.embedded import EmbeddedPostgres
from inbox.up.process import Process
from inbox.up.stack import prefect_environment
from prefork.worker import PreforkWorker

PREFECT = [sys.executable, "-m", "prefect"]
PATIENCE = 60

FLOWS = """
import json, logging, os, signal, sys, time
from pathlib import Path
from prefect import flow, get_run_logger, task

def note(flow, flow_run, state):
    mark = Path(flow_run.parameters["marks"]).with_suffix("." + state.type.value.lower())
    mark.with_suffix(".noting").write_text(str(os.getppid()))
    os.rename(mark.with_suffix(".noting"), mark)

@flow
def report(marks: str, name: str = "nobody"):
    print("printed by", name, flush=True)
    get_run_logger().info("logged by %s", name)
    import lore
    told = {"name": name, "directory": os.getcwd(), "parent": os.getppid(), "pid": os.getpid(),
            "leads": os.getsid(0) == os.getpid(), "colour": os.environ.get("COLOUR"),
            "lore": lore.VALUE, "lore_imported_by": lore.PID, "threads": lore.THREADS,
            "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler}
    Path(marks + ".new").write_text(json.dumps(told))
    os.rename(marks + ".new", marks)

@flow(on_crashed=[note], on_cancellation=[note], on_failure=[note])
def sleeper(marks: str, seconds: float):
    Path(marks).write_text(f"{os.getpid()} {os.getppid()} {time.time()}")
    until = time.time() + seconds
    while time.time() < until:
        time.sleep(0.05)
    Path(marks).with_suffix(".slept").write_text(str(time.time()))

@task
def step():
    time.sleep(0.05)

@flow
def paced(marks: str):
    while not Path(marks).with_suffix(".enough").exists():
        step()
        Path(marks).write_text(f"{os.getpid()} {os.getppid()}")

@flow(on_failure=[note], on_crashed=[note])
def ends(marks: str, code: int):
    if code:
        os._exit(code)
    raise RuntimeError("as asked")
"""
LORE = (
    "import os, threading\nVALUE = {value}\nPID = os.getpid()\nTHREADS = threading.active_count()\n"
)


class Server:
    """A running Prefect server and what the tests ask of it."""

    def __init__(self, home: Path, environment: dict[str, str], client: SyncPrefectClient) -> None:
        self.home = home
        self.environment = environment
        self.client = client

    def pool(self, **defaults: Any) -> str:
        """A new pool; its variables have these defaults."""
        template = PreforkWorker.get_default_base_job_template()
        for name, value in defaults.items():
            template["variables"]["properties"][name]["default"] = value
        pool = f"pool-{uuid4()}"
        self.client.create_work_pool(
            WorkPoolCreate(name=pool, type="prefork", base_job_template=template)
        )
        return pool

    def deploy(self, pool: str, project: Path, flow: str, **variables: Any) -> UUID:
        """A deployment of a flow in `flows.py` of a folder."""
        directory = {"prefect.deployments.steps.set_working_directory": {"directory": str(project)}}
        return self.client.create_deployment(
            flow_id=self.client.create_flow_from_name(flow),
            name=f"{flow}-{uuid4()}",
            entrypoint=f"flows.py:{flow}",
            pull_steps=[directory],
            work_pool_name=pool,
            job_variables=variables,
        )

    def run(self, deployment: UUID, **parameters: Any) -> UUID:
        """Ask for a run; its id."""
        run = self.client.create_flow_run_from_deployment(deployment, parameters=parameters)
        return run.id

    def ended(self, run: UUID, why: Callable[[], str]) -> FlowRun:
        """The run, when it has ended."""
        wait_until(lambda: self.state(run) in FINAL, PATIENCE, why)
        return self.client.read_flow_run(run)

    def state(self, run: UUID) -> str:
        """The type of the run's state."""
        state = self.client.read_flow_run(run).state
        return state.type.value if state else ""

    def asked(self) -> list[str]:
        """The requests so far."""
        return REQUEST.findall((self.home / "server.log").read_text())

    def logged(self, run: UUID) -> str:
        """What is in the run's logs."""
        return "\n".join(
            log.message
            for log in self.client.read_logs(
                LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])), limit=200
            )
        )


REQUEST = re.compile(r'"((?:GET|POST|PATCH|WebSocket) /api/[^" ]+)')
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
Start = Callable[..., Process]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this folder."""
    home = tmp_path_factory.mktemp("prefect")
    with EmbeddedPostgres(home / "data") as postgres:
        postgres.ensure_database("prefect")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        variables = (
            of_a_stack()
            | prefect_environment(home)
            | {
                "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
                "PREFECT_API_DATABASE_CONNECTION_URL": postgres.url("prefect").replace(
                    "postgresql://", "postgresql+asyncpg://"
                ),
                "PREFECT_WORKER_QUERY_SECONDS": "2",
                "PREFECT_SERVER_LOGGING_LEVEL": "INFO",  # a line for each request
            }
        )
        command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        process = Process("server", command, variables, home / "server.log")
        try:
            url = f"{variables['PREFECT_API_URL']}/health"
            wait_until(lambda: answers(url), 120, process.last_lines)
            with SyncPrefectClient(api=variables["PREFECT_API_URL"]) as client:
                yield Server(home, variables, client)
        finally:
            process.stop(5)


def answers(url: str) -> bool:
    """Whether a server is up."""
    try:
        return httpx.get(url, **PLAIN).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def launch(server: Server) -> Iterator[Start]:
    """Starts workers, which are stopped at the end."""
    workers = []

    def launch(pool: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Process:
        command = [*PREFECT, "worker", "start", "--pool", pool, *arguments]
        log = server.home / f"worker-{uuid4()}.log"
        variables = server.environment | dict(environment or {})
        workers.append(Process("worker", command, variables, log))
        wait_until(lambda: "started!" in workers[-1].last_lines(99), 60, workers[-1].last_lines)
        return workers[-1]

    yield launch
    for worker in workers:
        worker.stop(10)


@pytest.fixture(scope="module")
def pool(server: Server) -> str:
    """The pool that most tests share; `lore` is imported ahead."""
    return server.pool(preload=["lore"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with flows and a module that they import."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "flows.py").write_text(FLOWS)
    (folder / "lore.py").write_text(LORE.format(value=1))
    return folder


@pytest.fixture(scope="module")
def worker(launch: Start, pool: str, project: Path) -> Process:
    """The worker that most tests share."""
    return launch(pool, environment={"PYTHONPATH": path_with(project)})


def path_with(folder: Path) -> str:
    """PYTHONPATH with a folder in front."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """File that a flow writes to."""
    return tmp_path / "marks"
