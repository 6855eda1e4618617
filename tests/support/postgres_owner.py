"""Embedded Postgres servers in tests: their processes, and owners that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]
OWNER = """
import sys
from pathlib import Path
from inbox.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
    postgres.ensure_database("inbox")
    print(postgres.url("inbox"), flush=True)
    sys.stdin.read()
"""


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """What a statement answers; an empty list where it has no rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def main_process(data_dir: Path) -> psutil.Process:
    """The main process of the server that works on a data folder."""
    pid_file = data_dir / "postgres" / "cluster" / "data" / "postmaster.pid"
    return psutil.Process(int(pid_file.read_text().split()[0]))


LASTING = ("checkpointer", "background writer", "walwriter", "io worker", "launcher")


def family(data_dir: Path) -> list[psutil.Process]:
    """The processes of the server on a data folder that stay as long as it does."""
    main = main_process(data_dir)
    found = [main]
    for child in main.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            title = " ".join(child.cmdline())
            found += [child] if any(word in title for word in LASTING) else []
    return found


def shared_memory_of(pid: int) -> list[str]:
    """The System V segments that a process made."""
    table = Path("/proc/sysvipc/shm")
    rows = table.read_text().splitlines()[1:] if table.exists() else []
    return [row for row in rows if row.split()[4] == str(pid)]


def works(process: psutil.Process) -> bool:
    """Whether a process is more than an entry that init has not yet removed."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Owner:
    """A process of its own that runs the server until it is told to stop, or killed."""

    def __init__(
        self, data_dir: Path, python: str = sys.executable, uid: int | None = None
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-c", OWNER, str(data_dir)],
            cwd=REPOSITORY,
            env={"PYTHONPATH": python_path(), "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()

    def kill(self) -> None:
        """End it as the kernel does: no handler, no clean-up."""
        self.process.kill()
        self.process.communicate()

    def close(self) -> bytes:
        """Let it end in order; what it said on stderr."""
        return self.process.communicate()[1]


def python_path() -> str:
    """Where this environment's packages and this repository are."""
    return os.pathsep.join([str(REPOSITORY), *(path for path in sys.path if "packages" in path)])
