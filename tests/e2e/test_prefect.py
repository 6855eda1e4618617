"""The deployments as any Prefect user runs them: a server, a stock process pool, a worker."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from environment import of_a_stack
from house import PLAIN, wait_until

from inbox.embedded import EmbeddedPostgres
from inbox.store import migrate
from inbox.up.process import Process
from inbox.up.stack import prefect_environment

PREFECT = [sys.executable, "-m", "prefect"]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Prefect server and a migrated database, and the variables that point to both."""
    with EmbeddedPostgres(tmp_path / "data") as postgres:
        for name in ("inbox", "prefect"):
            postgres.ensure_database(name)
        migrate(postgres.url("inbox"))
        with httpx.Client(trust_env=False) as client:
            port = free_port()
            variables = of_a_stack() | prefect_environment(tmp_path)
            variables |= {
                "INBOX_DATA_DIR": str(tmp_path / "data"),
                "DATABASE_URL": postgres.url("inbox"),
                "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
                "PREFECT_API_DATABASE_CONNECTION_URL": postgres.url("prefect").replace(
                    "postgresql://", "postgresql+asyncpg://"
                ),
            }
            command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
            server = Process("server", command, variables, tmp_path / "server.log")
            try:
                wait_until(lambda: answers(client, port), 120, server.last_lines)
                yield variables
            finally:
                server.stop(5)


def answers(client: httpx.Client, port: int) -> bool:
    """Whether Prefect's server is up."""
    try:
        return client.get(f"http://127.0.0.1:{port}/api/health").is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prefect(environment: dict[str, str], *arguments: str) -> None:
    """Run a command of Prefect's in the checkout."""
    subprocess.run([*PREFECT, *arguments], env=environment, cwd=CHECKOUT, check=True, timeout=120)


def query(environment: dict[str, str], statement: str, *values: Any) -> Any:
    """One value from the rows."""
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        row = connection.execute(statement, values).fetchone()
        assert row is not None
        return row[0]


def insert_job(environment: dict[str, str], name: str = "letter.txt") -> str:
    """A pending job over a dropped file, by SQL alone."""
    job_id = query(environment, "insert into inbox_jobs default values returning id")
    query(
        environment,
        "insert into inbox_files (job_id, name, storage_key)"
        " values (%s, %s, 'dropped/' || %s) returning id",
        job_id,
        name,
        name,
    )
    return str(job_id)


def test_a_scheduled_run_picks_up_a_row_and_a_manual_run_works_too(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """`prefect deploy --all` and `prefect worker start`: the schedule finds what SQL inserted."""
    prefect(environment, "work-pool", "create", "inbox", "--type", "process")
    prefect(environment, "--no-prompt", "deploy", "--all")
    letter = tmp_path / "data" / "blobs" / "dropped" / "letter.txt"
    letter.parent.mkdir(parents=True)
    letter.write_text("Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n")
    with zipfile.ZipFile(letter.with_name("parcel.zip"), "w") as parcel:
        parcel.write(letter, "inside.txt")
    by_hand, by_schedule = insert_job(environment, "parcel.zip"), insert_job(environment)
    prefect(environment, "deployment", "run", "process-job/process-job", "-p", f"job_id={by_hand}")
    worker = Process(
        "worker",
        [*PREFECT, "worker", "start", "--pool", "inbox"],
        environment,
        tmp_path / "worker.log",
    )
    try:
        for job in (by_hand, by_schedule):
            wait_for_job(environment, job, worker)
    finally:
        worker.stop(5, first="prefect.engine")
    inside = "select label from inbox_files where job_id = %s and parent_id is not null"
    assert query(environment, inside, by_hand) == "letter"
    runs = flow_runs(environment)
    dispatches = [run for run in runs if run["name"] == "dispatch"]
    assert dispatches
    assert all(run["auto_scheduled"] for run in dispatches)
    assert {f"job-{by_hand}", f"job-{by_schedule}"} <= {run["name"] for run in runs}


def test_a_pool_of_type_kubernetes_is_made_as_its_manifest_says(
    environment: dict[str, str],
) -> None:
    """Also a second time; both deployments are on it, and the server has our job template."""
    folder = CHECKOUT / "deployments" / "kubernetes-pool"
    job = yaml.safe_load((folder / "register.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    (pool,), (register,) = pod["initContainers"], pod["containers"]
    typed = [*pool["command"], *pool["args"]]
    assert typed.pop(0) == "prefect"
    assert register["command"] == ["python", "-P", "-m", "deployments.deploy"]
    for _ in range(2):
        prefect(environment, *(each.replace("/template", str(folder)) for each in typed))
        prefect_deploys = [sys.executable, *register["command"][1:]]
        subprocess.run(prefect_deploys, env=environment, cwd=CHECKOUT, check=True, timeout=120)
    with httpx.Client(base_url=environment["PREFECT_API_URL"], trust_env=False) as client:
        made = client.get("/work_pools/inbox").raise_for_status().json()
        found = client.post("/deployments/filter", json={}).raise_for_status().json()
    assert made["type"] == "kubernetes"
    ours = json.loads((folder / "base-job-template.json").read_text())
    assert made["base_job_template"] == ours
    assert {each["name"]: each["work_pool_name"] for each in found} == {
        "dispatch": "inbox",
        "process-job": "inbox",
    }


def wait_for_job(environment: dict[str, str], job_id: str, worker: Process) -> None:
    """Wait until a job is completed."""
    began = time.monotonic()
    wait_until(
        lambda: (
            query(environment, "select status from inbox_jobs where id = %s", job_id) == "completed"
        ),
        180,
        lambda: f"after {time.monotonic() - began:.0f} s:\n{worker.last_lines(60)}",
    )


def flow_runs(environment: dict[str, str]) -> list[dict[str, Any]]:
    """Every flow run that Prefect knows."""
    answer = httpx.post(
        f"{environment['PREFECT_API_URL']}/flow_runs/filter", json={}, timeout=30, **PLAIN
    )
    runs: list[dict[str, Any]] = answer.raise_for_status().json()
    return runs
