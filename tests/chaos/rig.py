"""The bench on which faults are tried: a Postgres, a database and folders per fault, processes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import psycopg
from environment import of_a_stack
from pydantic import SecretStr

from inbox import Inbox, JobStatus
from inbox.blobs import blob_key
from inbox.embedded import EmbeddedPostgres
from inbox.model import Upload
from inbox.settings import Settings
from inbox.store import migrate

TESTS = Path(__file__).parents[1]
LEASE = 3.0
HEARTBEAT = 0.5
DRAIN_SECONDS = 90
TEXTS = (
    "INVOICE\nInvoice number {n}\nBill to: Ada\nTotal amount due: 12.00\n",
    "Dear Ms Lovelace,\nthank you for your letter number {n}.\nYours sincerely,\nC. B.\n",
)


@dataclass
class Figures:
    """One line of the table."""

    fault: str
    injected: int = 0
    jobs: int = 0
    files: int = 0
    results: int = 0
    repeated: int = 0
    refused: int = 0
    recovery: float = 0.0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Rig:
    """One fault's database, folders, workers and door."""

    def __init__(self, server: EmbeddedPostgres, home: Path, name: str) -> None:
        self.server = server
        self.home = home / name
        self.scratch = self.home / "tmp"
        self.scratch.mkdir(parents=True)
        self.effects = self.home / "effects.jsonl"
        self.effects.touch()
        self.database = f"chaos_{name.replace('-', '_')}"
        server.ensure_database(self.database)
        self.url = server.url(self.database)
        migrate(self.url)
        self.settings = Settings(
            _env_file=None,
            data_dir=self.home / "data",
            database_url=SecretStr(self.url),
            lease_seconds=LEASE,
            heartbeat_seconds=HEARTBEAT,
            classifier="lexicon",
            port=0,
        )
        self.inbox = Inbox(self.settings, 60)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.figures = Figures(name)
        self.quarantined = 0
        self.bystander = self.submit(1)
        assert self.inbox.work() == JobStatus.COMPLETED
        self.untouched = self.inbox.get(self.bystander)

    def environment(self, **extra: str) -> dict[str, str]:
        """What a process of this rig is started with."""
        return of_a_stack() | {
            "INBOX_DATA_DIR": str(self.settings.data_dir),
            "INBOX_DATABASE_URL": self.url,
            "INBOX_LEASE_SECONDS": str(LEASE),
            "INBOX_HEARTBEAT_SECONDS": str(HEARTBEAT),
            "INBOX_CLASSIFIER": "lexicon",
            "INBOX_PORT": "0",
            "CHAOS_EFFECTS": str(self.effects),
            "TMPDIR": str(self.scratch),
            **extra,
        }

    def spawn(self, *command: str, **extra: str) -> subprocess.Popen[bytes]:
        """Start a Python module of ours."""
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=self.environment(**extra),
                cwd=TESTS,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def worker(self, **extra: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self.spawn("chaos.worker", **extra)

    def workers(self, count: int, **extra: str) -> list[subprocess.Popen[bytes]]:
        """Start workers."""
        return [self.worker(**extra) for _ in range(count)]

    def submit(self, files: int, content: Callable[[int], bytes] | None = None) -> UUID:
        """Queue a job as the API does."""
        job_id, uploads = uuid4(), []
        for n in range(1, files + 1):
            text = content(n) if content else TEXTS[n % 2].format(n=uuid4()).encode()
            with self.inbox.blobs.create(blob_key(job_id, n)) as writer:
                writer.write(text)
                uploads.append(Upload(name=f"{n}", blob=writer.commit()))
        self.inbox.submit(job_id, uploads)
        return job_id

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the rows directly."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    # -- what is going on ---------------------------------------------------------------

    def open_jobs(self) -> int:
        """Jobs that are not over."""
        return int(self.query("select count(*) from inbox_jobs where finished_at is null")[0][0])

    def finished_files(self) -> int:
        """Files that are over."""
        query = "select count(*) from inbox_files where finished_at is not null"
        return int(self.query(query)[0][0])

    def held_by(self, pids: set[int]) -> dict[UUID, int]:
        """The jobs that these processes hold, and their tokens."""
        rows = self.query(
            "select id, lease_token, lease_owner from inbox_jobs where status = 'processing'"
        )
        return {job: token for job, token, owner in rows if int(owner.split("/")[1]) in pids}

    def taken_over(self, held: dict[UUID, int]) -> bool:
        """Whether each of these jobs was claimed anew, or is over."""
        if not held:
            return True
        rows = self.query(
            "select j.id from inbox_jobs j where j.id = any (%s) and j.finished_at is null"
            " and (j.lease_token is null or j.lease_token = any (%s))",
            list(held),
            list(held.values()),
        )
        return not rows

    def noted(self, event: str) -> list[dict[str, Any]]:
        """Lines that workers wrote."""
        lines = [json.loads(line) for line in self.effects.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    # -- waiting ------------------------------------------------------------------------

    def recover(self, held: dict[UUID, int], seconds: float = LEASE + 10) -> None:
        """Wait until others took these jobs over, and note how long it took."""
        began = time.monotonic()
        if not wait_for(lambda: self.taken_over(held), seconds + 20):
            self.figures.broken.append("a job was not taken over")
        took = time.monotonic() - began
        self.figures.recovery = max(self.figures.recovery, took)
        if took > seconds:
            self.figures.broken.append(f"recovery took {took:.1f} s")

    def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until every job is over."""
        if not wait_for(lambda: self.open_jobs() == 0, seconds):
            self.figures.broken.append(f"{self.open_jobs()} jobs are not over")

    # -- the end ------------------------------------------------------------------------

    def close(self) -> None:
        """Stop everything, and see that nothing is left behind."""
        family = [psutil.Process(p.pid) for p in self.processes if p.poll() is None]
        family += [child for process in family for child in process.children(recursive=True)]
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                self.figures.broken.append("a process did not stop when it was told to")
                process.kill()
                process.wait()
        _, alive = psutil.wait_procs(family, timeout=5)
        if alive:
            self.figures.broken.append(f"{len(alive)} processes were left behind")
        self.inbox.close()
        if not wait_for(lambda: not self.leftovers(), 10):
            self.figures.broken.append(f"left behind: {self.leftovers()[:3]}")

    def leftovers(self) -> list[str]:
        """Temporary files, and blobs that never became whole."""
        parts = list(self.settings.blobs_folder.rglob(".part-*"))
        return [str(path.relative_to(self.home)) for path in [*self.scratch.iterdir(), *parts]]


def wait_for(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Whether the condition came true in time; a database that is away has not said yes."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if condition():
                return True
        except psycopg.OperationalError:
            pass
        time.sleep(every)
    return False


def repeats(rig: Rig) -> int:
    """How often the work on a file was begun again."""
    begun = Counter(line["file"] for line in rig.noted("begin"))
    return sum(count - 1 for count in begun.values())


@contextmanager
def bench(home: Path) -> Iterator[EmbeddedPostgres]:
    """A Postgres for all the faults."""
    with EmbeddedPostgres(home / "server") as server:
        yield server
    shutil.rmtree(home / "server", ignore_errors=True)
