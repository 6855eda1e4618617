"""Runs on a pool of type prefork, against a real server: the rules of the process type, kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psutil
import pytest
from house import wait_until
from prefect.client.orchestration import PrefectClient
from prefect.states import Cancelling, Suspended

from inbox.up.process import Process
from prefork.given import Reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect.client.schemas.objects import FlowRun

PATIENCE = 60
PREFECT = [sys.executable, "-m", "prefect"]
STRANGERS = """from prefect import flow
@flow(log_prints=True)
def hello(name: str = "world"): print("hello", name)
"""


def seen(path: Path, worker: Process) -> str:
    """What a flow has written, when it has."""
    wait_until(
        lambda: path.exists() and path.stat().st_size > 0, PATIENCE, lambda: worker.last_lines(60)
    )
    return path.read_text()


def ended(server: Any, run: UUID, worker: Process) -> FlowRun:
    """The run, when it has ended."""
    found: FlowRun = server.ended(run, lambda: f"{server.state(run)}\n{worker.last_lines(60)}")
    return found


def report(server: Any, deployment: UUID, marks: Path, worker: Process) -> dict[str, Any]:
    """What a run of `report` says about itself."""
    marks.unlink(missing_ok=True)
    run = server.run(deployment, marks=str(marks), name="Ada")
    assert ended(server, run, worker).state.is_completed(), worker.last_lines(60)  # type: ignore[union-attr]
    told: dict[str, Any] = json.loads(marks.read_text())
    return told


def test_a_strangers_flow_runs_with_prefects_own_commands(
    server: Any, launch: Callable[..., Process], tmp_path: Path
) -> None:
    """`prefect work-pool create`, `prefect deploy` and `prefect worker start` are all it takes."""
    (tmp_path / "mine.py").write_text(STRANGERS)

    def prefect(*arguments: str) -> None:
        subprocess.run(
            [*PREFECT, *arguments], env=server.environment, cwd=tmp_path, check=True, timeout=120
        )

    prefect("work-pool", "create", "strangers", "--type", "prefork")
    prefect("--no-prompt", "deploy", "mine.py:hello", "--name", "mine", "--pool", "strangers")
    worker = launch("strangers")
    deployment = server.client.read_deployment_by_name("hello/mine")
    run = server.run(deployment.id, name="Ada")
    assert ended(server, run, worker).state.is_completed()  # type: ignore[union-attr]
    wait_until(lambda: "hello Ada" in server.logged(run), 20, lambda: server.logged(run))
    worker.stop(10)


def test_a_run_has_its_parameters_variables_folder_and_logs(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """All that a run on a process pool has, in a fork of a process with the modules loaded."""
    deployment = server.deploy(pool, project, "report", env={"COLOUR": "red"})
    told = report(server, deployment, marks, worker)
    assert told["name"] == "Ada"
    assert told["colour"] == "red"
    assert told["directory"] == str(project)
    assert told["leads"]
    assert told["sigint"]
    assert told["lore_imported_by"] == told["parent"]
    assert told["threads"] == 1
    assert "printed by Ada" in worker.last_lines(200)


def test_a_run_asks_for_nothing_that_its_worker_knows(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """With tasks and their events, which name the flow, the deployment, the queue and the pool."""
    deployment = server.deploy(pool, project, "paced")
    # A worker that has just started subscribes for itself when it runs the first.
    listening = "WebSocket /api/events/out"
    first = marks.with_name("first")
    start = len(server.asked())
    first.with_suffix(".enough").touch()
    ended(server, server.run(deployment, marks=str(first)), worker)
    wait_until(lambda: server.asked().count(listening) >= 3, 60, worker.last_lines)
    before = len(server.asked())
    run = server.run(deployment, marks=str(marks))
    seen(marks, worker)
    marks.with_suffix(".enough").touch()
    ended(server, run, worker)
    asked = server.asked()[before:]
    assert asked.count(f"GET /api/deployments/{deployment}") == 1
    needless = ("GET /api/work_", listening)
    assert not [request for request in asked if request.startswith(needless)]
    both = server.asked()[start:]
    assert len([request for request in both if request.startswith("GET /api/flows/")]) == 1


def test_what_several_runs_need_is_read_once(server: Any, pool: str, project: Path) -> None:
    """Runs that are found in one look share what is read; each gets a copy of its own."""

    async def read() -> None:
        async with PrefectClient(api=server.environment["PREFECT_API_URL"]) as client:
            asked: list[str] = []

            async def note(request: Any) -> None:
                asked.append(request.url.path)

            client._client.event_hooks["request"].append(note)
            reads = Reads(client)
            first, second = await asyncio.gather(
                *(client.read_deployment(deployment) for _ in range(2))
            )
            assert len(asked) == 1
            assert first == second
            assert first is not second
            reads.forget()
            assert await client.read_deployment(deployment) == first
            assert len(asked) == 2

    deployment = server.deploy(pool, project, "report")
    asyncio.run(read())


def test_a_run_without_pull_steps_starts_in_its_working_dir(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """The variable working_dir names the folder that the code is in."""
    deployment = server.client.create_deployment(
        flow_id=server.client.create_flow_from_name("report"),
        name="in-place",
        entrypoint="flows.py:report",
        work_pool_name=pool,
        job_variables={"working_dir": str(project)},
    )
    assert report(server, deployment, marks, worker)["directory"] == str(project)


def test_output_is_not_streamed_when_it_is_not_wanted(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """The variable stream_output is honoured; logs reach the server all the same."""
    deployment = server.deploy(pool, project, "report", stream_output=False)
    run = server.run(deployment, marks=str(marks), name="Silent")
    ended(server, run, worker)
    wait_until(lambda: "logged by Silent" in server.logged(run), 20, lambda: server.logged(run))
    assert "printed by Silent" not in worker.log.read_text()


def test_a_command_of_ones_own_runs_as_on_a_process_pool(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """Where the variable `command` is set nothing is forked."""
    command = f"{sys.executable} -m prefect.engine"
    deployment = server.deploy(pool, project, "report", command=command)
    told = report(server, deployment, marks, worker)
    assert told["parent"] == worker.pid
    assert told["lore_imported_by"] == told["pid"]


@pytest.mark.parametrize(("code", "state"), [(0, "FAILED"), (7, "CRASHED")])
def test_how_a_run_ends_is_told_from_its_exit_code(
    server: Any,
    worker: Process,
    *,
    pool: str,
    project: Path,
    marks: Path,
    code: int,
    state: str,
) -> None:
    """A flow that raises has failed, a process that exits with a code has crashed."""
    deployment = server.deploy(pool, project, "ends")
    run = ended(server, server.run(deployment, marks=str(marks), code=code), worker)
    assert run.state is not None
    assert run.state.type.value == state
    assert f"status code: {code}" in (run.state.message or "") or code == 0
    hook = marks.with_suffix(f".{state.lower()}")
    wait_until(hook.exists, 20, lambda: worker.last_lines(60))


def start_sleeper(
    server: Any, pool: str, project: Path, marks: Path, worker: Process, *, seconds: float
) -> tuple[UUID, int, int]:
    """A run that is asleep: its id, its process and the process that forked it."""
    deployment = server.deploy(pool, project, "sleeper")
    run = server.run(deployment, marks=str(marks), seconds=seconds)
    pid, parent = map(int, seen(marks, worker).split()[:2])
    return run, pid, parent


def test_a_killed_run_is_crashed_and_its_hook_runs(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """Kill -9 of a run: Crashed, and on_crashed is run by another fork of the same process."""
    run, pid, parent = start_sleeper(server, pool, project, marks, worker, seconds=60)
    os.killpg(pid, signal.SIGKILL)
    found = ended(server, run, worker).state
    assert found is not None
    assert found.is_crashed()
    assert "-9" in (found.message or "")
    crashed = marks.with_suffix(".crashed")
    wait_until(crashed.exists, 60, lambda: worker.last_lines(60))
    assert int(crashed.read_text()) == parent


def test_a_cancelled_run_stops_and_its_hook_runs(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """Cancelling in Prefect: SIGTERM, on_cancellation, Cancelled."""
    run, pid, _ = start_sleeper(server, pool, project, marks, worker, seconds=60)
    server.client.set_flow_run_state(run, Cancelling())
    found = ended(server, run, worker).state
    assert found is not None
    assert found.is_cancelled()
    assert marks.with_suffix(".cancelling").exists()
    assert not psutil.pid_exists(pid)
    assert not marks.with_suffix(".slept").exists()


def suspended(server: Any, run: UUID, pid: int, worker: Process) -> None:
    """Suspend a run; its process ends."""
    server.client.set_flow_run_state(run, Suspended(timeout_seconds=600))
    wait_until(lambda: not psutil.pid_exists(pid), PATIENCE, lambda: worker.last_lines(60))
    assert server.client.read_flow_run(run).state.name == "Suspended"


def test_a_suspended_run_stops_and_can_be_resumed(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """Suspending in Prefect ends the process at its next task, resuming starts another."""
    run = server.run(server.deploy(pool, project, "paced"), marks=str(marks))
    pid = int(seen(marks, worker).split()[0])
    suspended(server, run, pid, worker)
    marks.unlink()
    server.client.resume_flow_run(run)
    assert int(seen(marks, worker).split()[0]) != pid
    marks.with_suffix(".enough").touch()
    assert ended(server, run, worker).state.is_completed()  # type: ignore[union-attr]


def test_a_run_whose_worker_has_died_can_be_suspended(
    server: Any, launch: Callable[..., Process], project: Path, marks: Path
) -> None:
    """With nobody left to tell it, the run asks the server itself."""
    pool = server.pool()
    worker = launch(pool)
    run = server.run(server.deploy(pool, project, "paced"), marks=str(marks))
    pid = int(seen(marks, worker).split()[0])
    os.kill(worker.pid, signal.SIGKILL)
    suspended(server, run, pid, worker)


def test_a_run_outlives_its_warm_process_and_the_next_gets_another(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """Kill -9 of the warm process loses nothing."""
    run, _, parent = start_sleeper(server, pool, project, marks, worker, seconds=3)
    os.kill(parent, signal.SIGKILL)
    found = ended(server, run, worker).state
    assert found is not None
    assert found.is_completed()
    deployment = server.deploy(pool, project, "report")
    assert report(server, deployment, marks, worker)["parent"] not in {parent, worker.pid}


def test_a_run_that_is_killed_after_its_warm_process_is_crashed(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """With the warm process gone the worker still sees how its children end."""
    run, pid, parent = start_sleeper(server, pool, project, marks, worker, seconds=60)
    os.kill(parent, signal.SIGKILL)
    os.killpg(pid, signal.SIGKILL)
    found = ended(server, run, worker).state
    assert found is not None
    assert found.is_crashed()
    wait_until(marks.with_suffix(".crashed").exists, 60, lambda: worker.last_lines(60))


def test_a_module_that_has_changed_is_used_as_it_is(
    server: Any, worker: Process, pool: str, project: Path, marks: Path
) -> None:
    """A run sees code as it is on disk, not as the warm process once imported it."""
    deployment = server.deploy(pool, project, "report")
    before = report(server, deployment, marks, worker)
    lore = project / "lore.py"
    lore.write_text(lore.read_text().replace("VALUE = 1", "VALUE = 2"))
    after = report(server, deployment, marks, worker)
    assert (before["lore"], after["lore"]) == (1, 2)
    assert after["lore_imported_by"] == after["parent"] != before["parent"]


def test_two_workers_share_a_pool(
    server: Any,
    launch: Callable[..., Process],
    worker: Process,
    *,
    pool: str,
    project: Path,
    tmp_path: Path,
) -> None:
    """Every run is run once, whichever worker gets it."""
    second = launch(pool)
    deployment = server.deploy(pool, project, "sleeper")
    marks = [tmp_path / str(number) for number in range(8)]
    runs = [server.run(deployment, marks=str(mark), seconds=0.1) for mark in marks]
    for run in runs:
        assert ended(server, run, worker).state.is_completed(), second.last_lines(60)  # type: ignore[union-attr]
    assert all(server.client.read_flow_run(run).run_count == 1 for run in runs)
    second.stop(10)


def test_a_run_outlives_its_worker(
    server: Any, launch: Callable[..., Process], project: Path, marks: Path
) -> None:
    """Kill -9 of the worker: the flow goes on to its end, the warm process does not stay."""
    pool = server.pool()
    worker = launch(pool)
    run, _, parent = start_sleeper(server, pool, project, marks, worker, seconds=3)
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(parent), 10, lambda: "the warm process stays")
    found = ended(server, run, worker).state
    assert found is not None
    assert found.is_completed()


def test_a_limit_holds_and_sigterm_drains(
    server: Any, launch: Callable[..., Process], project: Path, tmp_path: Path
) -> None:
    """One run at a time under `--limit 1`; after SIGTERM none starts and none stays running."""
    pool = server.pool(drain_seconds=2)
    worker = launch(pool, "--limit", "1")
    deployment = server.deploy(pool, project, "sleeper")
    marks = [tmp_path / str(number) for number in range(4)]
    runs = [
        server.run(deployment, marks=str(mark), seconds=seconds)
        for mark, seconds in zip(marks, (0.5, 0.5, 60, 0), strict=True)
    ]
    seen(marks[2], worker)
    times = [
        (float(mark.read_text().split()[2]), float(mark.with_suffix(".slept").read_text()))
        for mark in marks[:2]
    ]
    assert times[0][1] <= times[1][0] or times[1][1] <= times[0][0]
    os.kill(worker.pid, signal.SIGTERM)
    wait_until(lambda: worker.exit_code() is not None, 30, lambda: worker.last_lines(60))
    assert worker.exit_code() == 0, worker.last_lines(60)
    assert [server.state(run) for run in runs] == ["COMPLETED", "COMPLETED", "CRASHED", "SCHEDULED"]
    assert marks[2].with_suffix(".crashed").exists()
    assert not marks[3].exists()
