"""A running `inbox up` in a folder of its own, and how to ask it things."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import processes
import psutil
import psycopg
from environment import of_a_stack
from processes import hear_sigint

from inbox.embedded import running_url

START_SECONDS = 180
POLL_SECONDS = 0.1
INBOX = [sys.executable, "-m", "inbox.cli"]
# Loopback without TLS; else every request would first read all the certificates there are.
PLAIN: Final[dict[str, bool]] = {"trust_env": False, "verify": False}


class House:
    """A running `inbox up`."""

    def __init__(self, home: Path, extra: Mapping[str, str]) -> None:
        self.home = home
        self.output = home / "up.log"
        self.environment = of_a_stack() | {
            "INBOX_DATA_DIR": str(home / "data"),
            "INBOX_PORT": "0",
            "INBOX_PREFECT_PORT": "0",
            "INBOX_LEASE_SECONDS": "10",
            "INBOX_HEARTBEAT_SECONDS": "1",
            **extra,
        }
        with self.output.open("wb") as output:
            self._popen = subprocess.Popen(
                [*INBOX, "up"],
                env=self.environment,
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=hear_sigint,  # noqa: PLW1509 - one thread here
            )
        wait_until(self._started, START_SECONDS, self.log)

    def _started(self) -> bool:
        assert self._popen.poll() is None, self.log()
        return "Ctrl-C stops everything." in self.log()

    def log(self) -> str:
        """What it has printed."""
        return self.output.read_text()

    def url(self, name: str) -> str:
        """One of the three URLs that it printed."""
        found = re.search(rf"^  {name} +(http\S+)$", self.log(), re.MULTILINE)
        assert found, self.log()
        return found[1]

    @property
    def process(self) -> psutil.Process:
        """The process of `inbox up`."""
        return psutil.Process(self._popen.pid)

    def children(self, word: str) -> list[psutil.Process]:
        """Processes below it that have this argument."""
        return processes.children(self.process.pid, word, all_below=True)

    def named(self, name: str) -> list[psutil.Process]:
        """Processes below it that have this name; a forked run's is `prefork-run`."""
        found = []
        for child in self.process.children(recursive=True):
            try:
                if child.name() == name:
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def database_url(self) -> str:
        """The database of the rows."""
        url = running_url(self.home / "data", "inbox")
        assert url
        return url

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the rows directly."""
        with psycopg.connect(self.database_url(), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def submit(self, files: list[Path], **fields: str) -> UUID:
        """Post files, and other fields of the form, as a client does."""
        parts = [("files", (file.name, file.read_bytes())) for file in files]
        answer = httpx.post(
            f"{self.url('API')}/classify-documents-async",
            files=parts,
            data=fields,
            timeout=60,
            **PLAIN,
        )
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["job_id"])

    def job(self, job_id: UUID) -> dict[str, Any]:
        """The job as `GET /job/{id}` shows it."""
        answer = httpx.get(f"{self.url('API')}/job/{job_id}", timeout=30, **PLAIN)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def finished(self, job_id: UUID, seconds: float = 180) -> dict[str, Any]:
        """The job once it is over."""
        wait_until(
            lambda: self.job(job_id)["status"] in {"completed", "failed", "cancelled"},
            seconds,
            lambda: f"{self.job(job_id)}\n{self.log()}\n{self.logs()}",
        )
        return self.job(job_id)

    def logs(self) -> str:
        """The ends of its parts' logs."""
        return "\n".join(
            f"== {log.name}\n{log.read_text(errors='replace')[-3000:]}"
            for log in sorted((self.home / "data" / "logs").glob("*.log"))
        )

    def stop(self, number: int = signal.SIGINT, seconds: float = 30) -> float:
        """Stop it; the seconds that took."""
        began = time.monotonic()
        if self._popen.poll() is None:
            self._popen.send_signal(number)
            self._popen.wait(seconds)
        return time.monotonic() - began


def wait_until(
    condition: Callable[[], bool], seconds: float, explain: Callable[[], str] = str
) -> None:
    """Poll until a condition holds; fail with an explanation after so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, explain()
        time.sleep(POLL_SECONDS)
