"""Many clients at once on one API process: `make load`.

The mix: every client submits one to three small files, asks for the job four times with a pause
as a page that shows progress would, and begins again; 503 and 429 are obeyed and tried again.
Afterwards every accepted job must be in the rows with all its files, and every file's bytes in
the blob store. The last line is a JSON object; exit code 1 where something is lost, refused for
another reason, or the p95 of GET is over 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil

from inbox.embedded import EmbeddedPostgres
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.store import migrate

GETS = 4
TRIES = 50
LIMIT_MS = 100.0
TEXT = b"Dear Sir or Madam, thank you for your letter. Yours faithfully, A. Person\n"


class Measured:
    """What was seen."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {"POST": [], "GET": []}
        self.statuses: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.accepted: dict[UUID, int] = {}
        self.memory: list[int] = []

    def report(self, took: float) -> dict[str, Any]:
        """The figures."""
        quarter = max(1, len(self.memory) // 4)
        found: dict[str, Any] = {"seconds": round(took, 1), "statuses": dict(self.statuses)}
        for method, values in self.seconds.items():
            values.sort()
            at = {name: values[int(len(values) * share)] for name, share in SHARES.items()}
            found[method] = {name: round(1000 * value, 1) for name, value in at.items()}
            found[method]["count"] = len(values)
        found["memory_mib_first_quarter"] = max(self.memory[:quarter]) >> 20
        found["memory_mib_last_quarter"] = max(self.memory[-quarter:]) >> 20
        found["wrong"] = len(self.wrong)
        return found


SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 0.9999}


@contextmanager
def api(home: Path, url: str) -> Iterator[tuple[str, psutil.Process]]:
    """A running API: its address and its process."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "INBOX_DATA_DIR": str(home),
        "INBOX_PORT": "0",
        "INBOX_CLASSIFIER": "lexicon",
    }
    with (home / "api.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "inbox.cli", "api"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"running on (http://\S+)", (home / "api.log").read_text())):
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit((home / "api.log").read_text())
            time.sleep(0.05)
        yield found[1], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


async def client(number: int, submissions: int, pause: float, address: str, seen: Measured) -> None:
    """One client, with a connection of its own: a shared pool would be what is measured."""
    # No TLS is spoken, and loading the certificates fifty times takes seconds.
    async with httpx.AsyncClient(base_url=address, timeout=60, verify=False) as http:
        await submit_and_look(number, submissions, pause, http, seen)


async def submit_and_look(
    number: int, submissions: int, pause: float, http: httpx.AsyncClient, seen: Measured
) -> None:
    """What a client does."""
    for submission in range(submissions):
        count = 1 + (number + submission) % 3
        files = [("files", (f"{each}.txt", TEXT * (1 + 40 * each))) for each in range(count)]
        answer = await asked(http, seen, "POST", "/classify-documents-async", files=files)
        if answer is None:
            continue
        job = answer.json()
        seen.accepted[UUID(job["job_id"])] = count
        for _ in range(GETS):
            looked = await asked(http, seen, "GET", job["status_endpoint"])
            if looked is not None and looked.json()["total_files"] != count:
                seen.wrong.append("a job with other files")
            await asyncio.sleep(pause)


async def asked(
    http: httpx.AsyncClient, seen: Measured, method: str, path: str, **what: Any
) -> httpx.Response | None:
    """The answer to a request that is tried again when the API says so."""
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = await http.request(method, path, **what)
        seen.seconds[method].append(time.perf_counter() - began)
        seen.statuses[f"{method} {answer.status_code}"] += 1
        if answer.is_success:
            return answer
        if answer.status_code not in {429, 503} or "retry-after" not in answer.headers:
            seen.wrong.append(f"{method} {answer.status_code}")
            return None
        await asyncio.sleep(float(answer.headers["retry-after"]))
    seen.wrong.append(f"{method} was never answered")
    return None


async def load(
    address: str, process: psutil.Process, clients: int, submissions: int, pause: float
) -> tuple[Measured, float]:
    """All clients at once."""
    seen = Measured()
    done = asyncio.Event()

    async def weigh() -> None:
        while not done.is_set():
            seen.memory.append(process.memory_info().rss)
            await asyncio.sleep(0.5)

    weighing = asyncio.create_task(weigh())
    began = time.monotonic()
    await asyncio.gather(
        *(client(number, submissions, pause, address, seen) for number in range(clients))
    )
    took = time.monotonic() - began
    done.set()
    await weighing
    return seen, took


def lost(settings: Settings, seen: Measured) -> int:
    """Accepted jobs that are not whole in the rows and the blob store."""
    missing = 0
    with Inbox(settings) as inbox:
        for job_id, count in seen.accepted.items():
            folder = settings.blobs_folder / str(job_id)
            blobs = len(list(folder.iterdir())) if folder.is_dir() else 0
            missing += not (inbox.get(job_id).total_files == count == blobs)
    return missing


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--submissions", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two looks")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home) as server:
            server.ensure_database("inbox")
            url = server.url("inbox")
            migrate(url)
            with api(home, url) as (address, process):
                seen, took = asyncio.run(
                    load(address, process, given.clients, given.submissions, given.pause)
                )
            settings = Settings(_env_file=None, data_dir=home, database_url=url)
            found = seen.report(took) | {
                "accepted": len(seen.accepted),
                "lost": lost(settings, seen),
            }
    print(f"{given.clients} clients, {given.submissions} submissions each, one API process")
    for reason, count in Counter(seen.wrong).items():
        print(f"wrong: {reason} ({count})")
    print(json.dumps(found))
    slow = found["GET"]["p95_ms"] > LIMIT_MS
    sys.exit(bool(found["lost"] or found["wrong"] or slow))


if __name__ == "__main__":
    main()
