"""Faults of the whole: Postgres, Prefect's server, worker and runs, the API, as `inbox up` runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import processes
import psutil
import psycopg
from house import House
from queue_rows import TERMINAL, check_rows, read
from scans import cancel_a_scan

from chaos.outside_faults import picture
from chaos.rig import TEXTS, Figures, wait_for

BOUND = 10 + 10  # the lease of a House, and ten seconds
CANCEL_BOUND = 5
RUN = "prefork-run"
DEFAULTS = {"INBOX_HEARTBEAT_SECONDS": "3"}  # as it is where nobody sets it
LAUNCH = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tasks.launch import Launcher
from tasks.runtime import inbox
with ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda _: Launcher(inbox()).look(), range(8)))
"""


class Whole:
    """A running house and the figures of one fault on it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.figures = Figures(name)
        self.house = House(folder, DEFAULTS)
        self.seen: list[tuple[Any, ...]] = []
        self.ours: list[UUID] = []

    def begin(self, name: str) -> None:
        """Another fault."""
        self.figures = Figures(name)
        self.ours = []
        self.seen = self.house.query("select * from inbox_files order by id")

    def submit(self, contents: list[bytes], suffix: str) -> UUID:
        """Post a job."""
        sent = self.folder / "sent"
        sent.mkdir(exist_ok=True)
        paths = []
        for number, content in enumerate(contents):
            paths.append(sent / f"{number}.{suffix}")
            paths[-1].write_bytes(content)
        self.ours.append(self.house.submit(paths))
        return self.ours[-1]

    def row(self, job_id: UUID, columns: str) -> tuple[Any, ...]:
        """Some columns of a job."""
        return self.house.query(f"select {columns} from inbox_jobs where id = %s", job_id)[0]

    def under_way(self, job_id: UUID, files: int = 1) -> None:
        """Wait until some files are done and others are not."""
        if not wait_for(lambda: self.row(job_id, "processed_files")[0] >= files, 90):
            self.figures.broken.append("the job did not get going")

    def kill(self, *words: str) -> None:
        """SIGKILL of what has one of these arguments or names."""
        for word in words:
            for victim in [*self.house.children(word), *self.house.named(word)]:
                victim.kill()
                self.figures.injected += 1

    def recovered(self, job_id: UUID, token: int | None) -> None:
        """Wait until the job was claimed anew, or is over."""
        began = time.monotonic()
        query = "lease_token is distinct from %s and status <> 'pending'" % (token or "null")
        if not wait_for(lambda: self.row(job_id, query)[0], BOUND + 40):
            self.figures.broken.append("the job was not taken over")
        took = time.monotonic() - began
        self.figures.recovery = max(self.figures.recovery, took)
        if took > BOUND:
            self.figures.broken.append(f"recovery took {took:.1f} s")

    def finished(self, job_id: UUID) -> None:
        """Wait until the job is over."""
        if not wait_for(lambda: self.row(job_id, "status")[0] in TERMINAL, 120):
            self.figures.broken.append(f"the job is {self.row(job_id, 'status')[0]}")

    def check(self) -> None:
        """What must be true of the rows now."""
        broken = self.figures.broken
        with psycopg.connect(self.house.database_url()) as connection:
            rows = read(connection)
        try:
            check_rows(rows, within_files=True)
        except AssertionError as failure:
            broken.append(f"the rows contradict each other: {failure}"[:300])
        now = {row[0]: row for row in self.house.query("select * from inbox_files")}
        if any(now[row[0]] != row for row in self.seen):
            broken.append("a job that had nothing to do with it was touched")
        cancelled = 0
        for job_id in self.ours:
            files = rows.files_of(job_id)
            self.figures.jobs += 1
            self.figures.files += len(files)
            self.figures.results += sum(file.status == "completed" for file in files)
            cancelled += sum(file.status == "cancelled" for file in files)
            self.figures.repeated += rows.jobs[job_id].attempt - 1
        if self.figures.results + cancelled != self.figures.files:
            codes = self.house.query("select distinct error_code from inbox_files")
            broken.append(f"{self.figures.files - self.figures.results} results fewer: {codes}")


def kill_run(whole: Whole) -> None:
    """SIGKILL of the flow run's process."""
    job_id = whole.submit([picture(n) for n in range(8)], "png")
    whole.under_way(job_id)
    token, owner = whole.row(job_id, "lease_token, lease_owner")
    psutil.Process(int(owner.split("/")[1])).kill()
    whole.figures.injected = 1
    whole.recovered(job_id, token)
    whole.finished(job_id)


def kill_dispatch(whole: Whole) -> None:
    """SIGKILL of the run that dispatches: jobs wait for the next one, a minute at most."""
    whole.kill("prefork-run")  # no job runs, so there is no other
    began = time.monotonic()
    job_id = whole.submit([TEXTS[0].encode()], "txt")
    whole.finished(job_id)
    whole.figures.recovery = time.monotonic() - began
    if whole.figures.recovery > 75:
        whole.figures.broken.append("dispatch did not come back in a minute")


def kill_prefect_worker(whole: Whole) -> None:
    """SIGKILL of the worker and its runs at once."""
    job_id = whole.submit([picture(n) for n in range(8)], "png")
    whole.under_way(job_id)
    (token,) = whole.row(job_id, "lease_token")
    whole.kill("worker", "prefork-run")
    whole.recovered(job_id, token)
    whole.finished(job_id)


def kill_prefect_server(whole: Whole) -> None:
    """SIGKILL of Prefect's server: the job that runs ends in the rows, the next one runs too."""
    job_id = whole.submit([picture(n) for n in range(4)], "png")
    whole.under_way(job_id)
    whole.kill("server")
    whole.finished(job_id)
    began = time.monotonic()
    whole.finished(whole.submit([TEXTS[0].encode()], "txt"))
    whole.figures.notes.append(f"next job done after {time.monotonic() - began:.0f} s")


def kill_api(whole: Whole) -> None:
    """SIGKILL of the API while a job runs: the job does not notice, the API comes back."""
    job_id = whole.submit([picture(n) for n in range(3)], "png")
    began = time.monotonic()
    whole.kill("api")

    def back() -> bool:
        try:
            return whole.house.job(job_id)["job_id"] == str(job_id)
        except httpx.HTTPError:
            return False

    if not wait_for(back, BOUND):
        whole.figures.broken.append("the API did not come back")
    whole.figures.recovery = time.monotonic() - began
    whole.finished(job_id)


def eight_dispatchers(whole: Whole) -> None:
    """Eight dispatchers look at once, beside the one that runs: one run for each job."""
    jobs = [whole.submit([TEXTS[1].encode()], "txt") for _ in range(3)]
    environment = whole.house.environment | {
        "INBOX_DATABASE_URL": whole.house.database_url(),
        "PREFECT_API_URL": f"{whole.house.url('Prefect')}/api",
        "PREFECT_HOME": str(whole.folder / "launcher"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    subprocess.run([sys.executable, "-c", LAUNCH], env=environment, check=True, timeout=90)
    whole.figures.injected = 8
    for job_id in jobs:
        whole.finished(job_id)
    names = {"any_": [f"job-{job_id}" for job_id in jobs]}
    body = {"flow_runs": {"name": names}}
    api = f"{whole.house.url('Prefect')}/api/flow_runs/filter"
    runs = httpx.post(api, json=body, timeout=30, trust_env=False).json()
    if len(runs) != len(jobs):
        whole.figures.broken.append(f"{len(runs)} runs for {len(jobs)} jobs")


def cancel_scan(whole: Whole) -> None:
    """Cancel a job with a scan of 200 pages under way: nothing computes any more in 5 seconds."""
    job_id, seconds, count = cancel_a_scan(whole.house, whole.folder)
    whole.ours.append(job_id)
    whole.figures.injected, whole.figures.recovery = 1, seconds
    whole.figures.notes.append(f"{count} processes gone")
    if seconds > CANCEL_BOUND:
        whole.figures.broken.append(f"the job was cancelled after {seconds:.1f} s")


def power_loss(whole: Whole) -> None:
    """Everything is killed at once in a job of 40 files; the next start ends it, the same way."""
    contents = [TEXTS[n % 2].format(n=n).encode() for n in range(36)]
    contents += [picture(n) for n in range(4)]
    calm = whole.submit(contents, "bin")
    whole.finished(calm)
    whole.house.query("delete from inbox_pages")  # or the second run would find its pages read
    job_id = whole.submit(contents, "bin")
    whole.under_way(job_id, 8)
    family = [*whole.house.process.children(recursive=True), whole.house.process]
    processes.send(family, signal.SIGSTOP)
    processes.send(family)
    psutil.wait_procs(family, timeout=10)
    whole.figures.injected = len(family)
    whole.house.stop()  # takes note of its end
    began = time.monotonic()
    whole.house = House(whole.folder, DEFAULTS)
    whole.figures.notes.append(f"up again after {time.monotonic() - began:.0f} s")
    (token,) = whole.house.query(
        "select max(token) from inbox_attempts where job_id = %s and claimed_at < now() - "
        "make_interval(secs => %s)",
        job_id,
        time.monotonic() - began,
    )[0]
    whole.recovered(job_id, token)
    whole.finished(job_id)
    ends = [
        [(r["label"], r["confidence"], r["evidence"], r["pages"]) for r in one["result"]["results"]]
        for one in (whole.house.job(calm), whole.house.job(job_id))
    ]
    if ends[0] != ends[1]:
        whole.figures.broken.append("the results differ from an undisturbed run's")


FAULTS: dict[str, Callable[[Whole], None]] = {
    "kill-run": kill_run,
    "kill-dispatch": kill_dispatch,
    "kill-prefect-worker": kill_prefect_worker,
    "kill-prefect-server": kill_prefect_server,
    "kill-stack-api": kill_api,
    "eight-dispatchers": eight_dispatchers,
    "cancel-scan": cancel_scan,
    "power-loss": power_loss,
}


def run(names: list[str], home: Path, show: Callable[[Figures], None]) -> list[Figures]:
    """Try these on one house, which every fault leaves standing."""
    if not names:
        return []
    folder = home / "house"
    folder.mkdir()
    whole = Whole(folder, "start")
    found = []
    try:
        for name in names:
            whole.begin(name)
            began = time.monotonic()
            try:
                FAULTS[name](whole)
                whole.check()
            except Exception:  # noqa: BLE001 - the other faults are tried all the same
                whole.figures.broken.append(traceback.format_exc(limit=-3))
            whole.figures.seconds = round(time.monotonic() - began, 1)
            show(whole.figures)
            if whole.figures.broken:
                print(whole.house.log(), whole.house.logs(), sep="\n", file=sys.stderr)
            found.append(whole.figures)
    finally:
        family = whole.house.process.children(recursive=True)
        whole.house.stop()
        _, alive = psutil.wait_procs(family, timeout=10)
        if alive and found:
            found[-1].broken.append(f"{len(alive)} processes were left behind")
    return found
