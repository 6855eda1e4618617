"""The same deployments on a pool of type process and on one of type prefork, side by side.

    python -P bench/prefect.py                # about forty minutes
    python -P bench/prefect.py --short        # about eight minutes, coarse
    python -P bench/prefect.py --only-growth  # about twelve minutes

Each pool gets a Prefect server, a Postgres and a worker of its own, one after the other, with the
settings of `inbox up`. Prints a table and, last, one line of JSON.

Last comes what the schedule adds to Prefect's database: short dispatch runs on prefork, one every
two seconds in place of one a minute, with the pauses of autovacuum as much shorter. (A pool of type
process cannot keep up with that; what is written of a run is the same.) The first third is left
out: a young database gives each index its first pages, and has no space of dead rows to use again,
so a few minutes of it say nothing of a day.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]  # not this prefect

import httpx  # noqa: E402
import psutil  # noqa: E402
import psycopg  # noqa: E402
from prefect.client.orchestration import SyncPrefectClient  # noqa: E402
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate  # noqa: E402
from prefect.client.schemas.schedules import IntervalSchedule  # noqa: E402
from prefect.workers.process import ProcessWorker  # noqa: E402

from deployments.deploy import DEFAULTS  # noqa: E402
from inbox.embedded import EmbeddedPostgres  # noqa: E402
from inbox.store import migrate  # noqa: E402
from inbox.up.process import Process  # noqa: E402
from inbox.up.stack import prefect_environment, prefect_server_environment  # noqa: E402
from prefork.worker import PreforkWorker  # noqa: E402

PREFECT = [sys.executable, "-m", "prefect"]
FLOW = """import time
from pathlib import Path
from prefect import flow

@flow
def first_line(path: str) -> None:
    Path(path).write_text(str(time.time()))
"""
EVERY = 2  # seconds between runs where growth is measured
RUNS_A_DAY = 24 * 60
SMALL = 0.05
OFTEN = {
    "INBOX_DISPATCH_RUN_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "10",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "20",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "30",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT20S",
}
SIZES = """
    select 'all', pg_database_size(current_database())
    union all
    select 'runs', count(*) from flow_run join flow on flow.id = flow_id
    where flow.name = 'dispatch' and state_type = 'COMPLETED'
    union all
    select relname, pg_total_relation_size(relid) from pg_stat_user_tables
"""
HIGHER_IS_BETTER = ("jobs per minute", "files per second")
Figures = dict[str, float]


class Scene:
    """A Prefect server, a worker on a pool of some type, and the API."""

    def __init__(
        self, home: Path, stack: ExitStack, kind: str, more: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self._kind = kind
        self._stack = stack
        self.postgres = stack.enter_context(EmbeddedPostgres(home / "data"))
        for name in ("inbox", "prefect"):
            self.postgres.ensure_database(name)
        migrate(self.postgres.url("inbox"))
        self.prefect_port, self.port = free_port(), free_port()
        database = self.postgres.url("prefect").replace("postgresql://", "postgresql+asyncpg://")
        self.environment = dict(os.environ) | prefect_environment(home)
        self.environment |= prefect_server_environment() | {
            "PREFECT_API_URL": f"http://127.0.0.1:{self.prefect_port}/api",
            "PREFECT_API_DATABASE_CONNECTION_URL": database,
            "INBOX_DATA_DIR": str(home / "data"),
            "INBOX_PORT": str(self.port),
            "DATABASE_URL": self.postgres.url("inbox"),
        }
        self.environment |= more or {}
        where = ["--host", "127.0.0.1", "--port", str(self.prefect_port)]
        self.start("server", *PREFECT, "server", "start", *where)
        wait_for(lambda: answers(f"{self.environment['PREFECT_API_URL']}/health"))
        self.client = stack.enter_context(
            SyncPrefectClient(api=self.environment["PREFECT_API_URL"])
        )

    def start(self, name: str, *command: str) -> Process:
        """Start a part, which is stopped at the end."""
        part = Process(name, command, self.environment, self.home / f"{name}.log")
        self._stack.callback(part.stop, 10, first="prefect.engine")
        return part

    def populate(self) -> None:
        """The pool, the deployments, the API and the worker."""
        worker_type = PreforkWorker if self._kind == "prefork" else ProcessWorker
        template = worker_type.get_default_base_job_template()
        if self._kind == "prefork":
            for name, value in DEFAULTS.items():
                template["variables"]["properties"][name]["default"] = value
        self.client.create_work_pool(
            WorkPoolCreate(name="inbox", type=self._kind, base_job_template=template)
        )
        deploy = [*PREFECT, "--no-prompt", "deploy", "--all"]
        subprocess.run(
            deploy, env=self.environment, cwd=HERE.parent, check=True, stdout=subprocess.DEVNULL
        )
        (self.home / "first.py").write_text(FLOW)
        pull = {"prefect.deployments.steps.set_working_directory": {"directory": str(self.home)}}
        self.first_line = self.client.create_deployment(
            flow_id=self.client.create_flow_from_name("first_line"),
            name="first-line",
            entrypoint="first.py:first_line",
            pull_steps=[pull],
            work_pool_name="inbox",
        )
        self.start("api", sys.executable, "-m", "inbox.cli", "api")
        wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/healthz"))
        self.worker = self.start("worker", *PREFECT, "worker", "start", "--pool", "inbox")
        wait_for(lambda: "started!" in self.worker.last_lines(999))
        self.first()  # also waits for the warm process
        dispatch = self.client.read_deployment_by_name("dispatch/dispatch")
        self.client.create_flow_run_from_deployment(dispatch.id)  # the schedule's is to come

    def cpu(self) -> float:
        """CPU seconds of all processes so far, those that have ended included."""
        return sum(
            times.user + times.system + times.children_user + times.children_system
            for times in (ask(process, "cpu_times") for process in self.family())
            if times is not None
        )

    def family(self) -> list[psutil.Process]:
        """All processes that were started here, Postgres included."""
        return psutil.Process().children(recursive=True)

    def sizes(self) -> dict[str, int]:
        """How many dispatch runs are over; bytes of all, and of each table with its indexes."""
        with psycopg.connect(self.postgres.url("prefect"), autocommit=True) as connection:
            return dict(connection.execute(SIZES).fetchall())

    def first(self) -> float:
        """Seconds from asking for a run to the first line of its flow."""
        path = self.home / f"first-{time.monotonic_ns()}"
        asked = time.time()
        run = self.client.create_flow_run_from_deployment(
            self.first_line, parameters={"path": str(path)}
        )
        wait_for(lambda: path.exists() and path.stat().st_size > 0)
        wait_for(lambda: ended(self.client, run.id), every=0.2)
        return float(path.read_text()) - asked

    def post(self, count: int) -> UUID:
        """Post a job of so many small files."""
        letter = "Dear Ms Lovelace,\nthe invoice {} over 12.00 is due.\nYours, C. B.\n"
        files = [
            ("files", (f"{number}.txt", letter.format(number).encode())) for number in range(count)
        ]
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/classify-documents-async",
            files=files,
            timeout=120,
            trust_env=False,
        )
        return UUID(answer.raise_for_status().json()["job_id"])

    def wait_until(self, jobs: list[UUID], *statuses: str, every: float = 0.02) -> float:
        """Look `every` so many seconds until all jobs have a status; when that was."""
        with psycopg.connect(self.postgres.url("inbox"), autocommit=True) as connection:
            question = "select count(*) from inbox_jobs where id = any(%s) and status = any(%s)"

            def reached() -> bool:
                row = connection.execute(question, (jobs, list(statuses))).fetchone()
                return row is not None and row[0] == len(jobs)

            wait_for(reached, seconds=3600, every=every)
        return time.time()


def measure(kind: str, options: argparse.Namespace) -> Figures:
    """All figures of a pool of one type."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scene = Scene(Path(folder), stack, kind)
        time.sleep(options.settle)
        bare = idle(scene, options.idle)
        scene.populate()
        time.sleep(options.settle)
        busy = idle(scene, options.idle)
        # PSS: what forks share counts once
        memory = sum(getattr(ask(part, "memory_full_info"), "pss", 0) for part in scene.family())
        figures = {
            "bare server, cores": bare,
            "idle above it, cores": busy - bare,
            "memory, MiB": memory / 2**20,
        }
        figures |= triggers(scene, options.triggers)
        figures |= spread("POST to processing", [claimed(scene) for _ in range(options.posts)])
        figures |= small_jobs(scene, options.jobs)
        figures |= many_files(scene, options.files)
    return figures


def triggers(scene: Scene, count: int) -> Figures:
    """How soon the first line of a flow runs, one run after the other, and what that costs."""
    cpu = scene.cpu()
    firsts = [scene.first() for _ in range(count)]
    cost = {"CPU s a run, server included": (scene.cpu() - cpu) / count}
    return cost | spread("trigger to first line", firsts)


def small_jobs(scene: Scene, count: int) -> Figures:
    """Jobs of one small file, all posted at once."""
    cpu, began = scene.cpu(), time.time()
    # Seldom enough that looking costs neither pool anything.
    passed = finished(scene, [scene.post(1) for _ in range(count)], every=0.2) - began
    return {"jobs per minute": 60 * count / passed, "CPU s a job": (scene.cpu() - cpu) / count}


def many_files(scene: Scene, count: int) -> Figures:
    """One job of many small files, from when it is claimed."""
    job = [scene.post(count)]
    began, cpu = scene.wait_until(job, "processing", "completed"), scene.cpu()
    passed = finished(scene, job) - began
    return {
        "files per second": count / passed,
        "CPU ms a file": 1000 * (scene.cpu() - cpu) / count,
    }


def idle(scene: Scene, seconds: float) -> float:
    """Busy cores."""
    cpu, began = scene.cpu(), time.monotonic()
    time.sleep(seconds)
    return (scene.cpu() - cpu) / (time.monotonic() - began)


def growth(runs: int) -> Figures:
    """What a dispatch run of the schedule leaves in Prefect's database: kB by table, MB a day."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scene = Scene(Path(folder), stack, "prefork", OFTEN)
        with psycopg.connect(scene.postgres.url("prefect"), autocommit=True) as connection:
            connection.execute(f"alter system set autovacuum_naptime = '{EVERY}s'")
            connection.execute("select pg_reload_conf()")
        scene.populate()
        dispatch = scene.client.read_deployment_by_name("dispatch/dispatch")
        (schedule,) = dispatch.schedules
        often = IntervalSchedule(interval=timedelta(seconds=EVERY))
        scene.client.update_deployment_schedule(dispatch.id, schedule.id, schedule=often)
        # The worker takes runs ten seconds ahead, which are more than may be at once otherwise.
        scene.client.update_deployment(dispatch.id, DeploymentUpdate(concurrency_limit=20))
        young = after_runs(scene, 1)
        grown = after_runs(scene, young["runs"] + runs // 3)
        old = after_runs(scene, young["runs"] + runs)

    def each(before: dict[str, int], after: dict[str, int], name: str) -> float:
        return (after[name] - before[name]) / (after["runs"] - before["runs"]) / 1e3

    tables = {name: each(grown, old, name) for name in old if name not in ("all", "runs")}
    return {
        "database, MB a day": each(grown, old, "all") * RUNS_A_DAY / 1e3,
        "database, kB a run": each(grown, old, "all"),
        "database, kB a run, young": each(young, grown, "all"),
    } | {f"kB a run, {name}": size for name, size in tables.items() if size >= SMALL}


def after_runs(scene: Scene, count: int) -> dict[str, int]:
    """The sizes when at least so many dispatch runs are over."""
    wait_for(lambda: scene.sizes()["runs"] >= count, seconds=300 + 30 * count, every=1)
    return scene.sizes()


def claimed(scene: Scene) -> float:
    """Seconds from posting a job to its being worked on."""
    began = time.time()
    job = [scene.post(1)]
    taken = scene.wait_until(job, "processing", "completed") - began
    finished(scene, job)
    return taken


def finished(scene: Scene, jobs: list[UUID], every: float = 0.02) -> float:
    """When all of these jobs were over."""
    return scene.wait_until(jobs, "completed", "failed", "cancelled", every=every)


def spread(name: str, seconds: list[float]) -> Figures:
    """The middle and nearly the worst."""
    worst = sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.95))]
    return {f"{name} p50, s": statistics.median(seconds), f"{name} p95, s": worst}


def ask(process: psutil.Process, question: str) -> Any:
    """What a process says; None when it has gone."""
    with suppress(psutil.NoSuchProcess):
        return getattr(process, question)()
    return None


def ended(client: SyncPrefectClient, run: UUID) -> bool:
    """Whether a run is over."""
    state = client.read_flow_run(run).state
    return state is not None and state.is_final()


def wait_for(condition: Any, seconds: float = 300, every: float = 0.02) -> None:
    """Poll until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(every)


def answers(url: str) -> bool:
    """Whether a server is up."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM end what was started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    yield


def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true", help="few of everything")
    for name, usual in (("idle", 60), ("settle", 20), ("triggers", 30), ("posts", 20)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--growth", type=int, default=300, metavar="RUNS", help="0 leaves it out")
    parser.add_argument("--only-growth", action="store_true", help="of Prefect's database")
    parser.add_argument("--pools", default="process,prefork")
    options = parser.parse_args()
    if options.short:
        options.idle, options.settle, options.triggers = 15, 8, 6
        options.posts, options.jobs, options.files, options.growth = 3, 8, 40, 45
    found: dict[str, Figures] = {}
    with stoppable():
        for kind in [] if options.only_growth else options.pools.split(","):
            found[kind] = measure(kind, options)
            print(kind, json.dumps(found[kind]), file=sys.stderr, flush=True)
        if options.growth and (options.only_growth or "prefork" in found):
            found.setdefault("prefork", {}).update(growth(options.growth))
    table(found)
    print(json.dumps({"load": os.getloadavg(), "options": vars(options), "figures": found}))


def table(found: dict[str, Figures]) -> None:
    """Print the figures side by side, and how many times better the last is than the first."""
    kinds = list(found)
    print(f"{'':34}" + "".join(f"{kind:>12}" for kind in kinds) + f"{'times better':>14}")
    for name in dict.fromkeys(name for kind in kinds for name in found[kind]):
        if any(name not in found[kind] for kind in kinds):
            cells = (
                f"{found[kind][name]:12.2f}" if name in found[kind] else f"{'-':>12}"
                for kind in kinds
            )
            print(f"{name:34}" + "".join(cells))
            continue
        values = [found[kind][name] for kind in kinds]
        first, last = values[0], values[-1]
        over, under = (last, first) if name in HIGHER_IS_BETTER else (first, last)
        ratio = f"{over / under:14.1f}" if under > 0 else f"{'-':>14}"
        print(f"{name:34}" + "".join(f"{value:12.2f}" for value in values) + ratio)


if __name__ == "__main__":
    main()
