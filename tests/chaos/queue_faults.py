"""Faults of workers and of the database, on workers without Prefect."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from chaos.checks import check, expect_whole
from chaos.rig import LEASE, Rig, wait_for
from inbox import InboxError, JobStatus

PAUSE = 2 * LEASE


def kill_worker(rig: Rig) -> None:
    """SIGKILL of workers at random moments; each is replaced."""
    for _ in range(24):
        rig.submit(3)
    workers = rig.workers(3)
    wait_for(lambda: rig.finished_files() > 4, 40)
    for number in range(5):
        time.sleep(random.uniform(0.2, 0.8))
        _end(rig, workers, number % 3, signal.SIGKILL)
    rig.drain()
    _whole(rig)


def stop_worker(rig: Rig) -> None:
    """SIGSTOP for longer than the lease, then SIGCONT: what it holds has passed on."""
    for _ in range(4):
        rig.submit(4)
    workers = rig.workers(2, CHAOS_PACE="0.4")
    wait_for(lambda: rig.finished_files() > 2, 40)
    victim = workers[0]
    wait_for(lambda: bool(rig.held_by({victim.pid})), 20)
    victim.send_signal(signal.SIGSTOP)
    rig.figures.injected += 1
    rig.recover(rig.held_by({victim.pid}))
    victim.send_signal(signal.SIGCONT)
    rig.drain()
    if not wait_for(lambda: bool(rig.noted("refused")), 10):
        rig.figures.broken.append("the stopped worker never noticed")
    _whole(rig)


def late_writer(rig: Rig) -> None:
    """Stopped with its text in hand, it writes while the new holder is inside the same file."""
    pausing = {"INBOX_FAILPOINTS": "store.record.before=sleep:3"}
    for _ in range(3):
        job_id = rig.submit(1)
        late = rig.worker(CHAOS_PACE="0", INBOX_FAILPOINTS="store.record.before=sleep:1")
        wait_for(lambda pid=late.pid: bool(rig.held_by({pid})), 40)  # type: ignore[misc]
        begun = len(rig.noted("begin"))
        wait_for(lambda count=begun: len(rig.noted("begin")) >= max(1, count), 20)  # type: ignore[misc]
        time.sleep(0.3)
        late.send_signal(signal.SIGSTOP)
        held = rig.held_by({late.pid})
        begun, refused = len(rig.noted("begin")), len(rig.noted("refused"))
        fresh = rig.worker(CHAOS_PACE="0", **pausing)
        rig.recover(held)
        wait_for(lambda count=begun: len(rig.noted("begin")) > count, 20)  # type: ignore[misc]
        late.send_signal(signal.SIGCONT)
        rig.figures.injected += 1
        if not wait_for(lambda count=refused: len(rig.noted("refused")) > count, 10):  # type: ignore[misc]
            rig.figures.broken.append("the late worker was not refused")
        if rig.inbox.get(job_id).status.terminal:
            rig.figures.broken.append("the new holder was not inside the file any more")
        rig.drain()
        for process in (late, fresh):
            process.terminate()
            process.wait(20)
    _whole(rig)


def rolling_terms(rig: Rig) -> None:
    """Eight SIGTERMs, one worker after the other: nothing is charged, nothing waits for a lease."""
    for _ in range(16):
        rig.submit(5)
    workers = rig.workers(3, CHAOS_PACE="0.15")
    wait_for(lambda: rig.finished_files() > 4, 40)
    for number in range(8):
        time.sleep(0.3)
        _end(rig, workers, number % 3, signal.SIGTERM, CHAOS_PACE="0.15")
    rig.drain()
    charged = rig.query("select count(*) from inbox_attempts where outcome = 'lapsed'")[0][0]
    if charged:
        rig.figures.notes.append(f"{charged} leases lapsed (told to stop between claim and work)")
    _whole(rig)


def eight_claimers(rig: Rig) -> None:
    """Eight workers on 200 jobs: each is claimed once."""
    for _ in range(200):
        rig.submit(1)
    rig.workers(8, CHAOS_PACE="0")
    rig.figures.injected = 8
    rig.drain()
    if rig.query("select max(attempt) from inbox_jobs") != [(1,)]:
        rig.figures.broken.append("a job was claimed more than once")
    _whole(rig)


def cancel_and_finish(rig: Rig) -> None:
    """Cancel and finish at the same moment, 200 times: one of the two, and the same for all."""
    start = threading.Barrier(2)
    ends: dict[JobStatus, int] = {}

    def cancel(job_id: object) -> None:
        start.wait()
        rig.inbox.cancel(job_id)  # type: ignore[arg-type]

    with ThreadPoolExecutor(2) as pool:
        for number in range(200):
            job_id = rig.submit(2)
            lease = rig.inbox.claim(job_id)
            assert lease
            # Half of the rounds with every file done, half with one open.
            for file in lease.files[number % 2 :]:
                rig.inbox.store.start(lease, file)
                rig.inbox.store.record_failure(lease, file, _problem())
            both = pool.submit(cancel, job_id), pool.submit(_finish, rig, lease, start)
            for one in both:
                one.result()
            job = rig.inbox.get(job_id)
            ends[job.status] = ends.get(job.status, 0) + 1
            rig.figures.injected += 1
            if not job.status.terminal:
                # Handed back before the cancel arrived, which then closed it or finds it waiting.
                rig.figures.broken.append(f"a cancelled job is {job.status}")
    rig.figures.notes.append(", ".join(f"{count} {status}" for status, count in ends.items()))
    check(rig)


def wrong_clocks(rig: Rig) -> None:
    """Workers two hours ahead and behind; then the database's own clock leaps, there and back."""
    for _ in range(12):
        rig.submit(4)
    workers = rig.workers(1, CHAOS_CLOCK="7200", CHAOS_PACE="0.2")
    workers += rig.workers(1, CHAOS_CLOCK="-7200", CHAOS_PACE="0.2")
    rig.figures.injected = 2
    wait_for(lambda: rig.finished_files() > 6, 40)
    lapsed = rig.query("select count(*) from inbox_attempts where outcome = 'lapsed'")
    if lapsed != [(0,)]:
        rig.figures.broken.append("a worker with a wrong clock lost a lease")
    held = rig.held_by({worker.pid for worker in workers})
    _set_clock(rig, "2 hours")
    rig.recover(held)
    rig.drain()
    for _ in range(12):
        rig.submit(4)
    done = rig.finished_files()
    wait_for(lambda: rig.finished_files() > done + 4, 40)
    _set_clock(rig, "0")  # leases, pauses and waiting jobs are of a time two hours from now
    for number in range(2):
        _end(rig, workers, number, signal.SIGKILL)
    rig.drain()
    _whole(rig)


def _set_clock(rig: Rig, offset: str) -> None:
    rig.query(f"alter database {rig.database} set inbox.clock_offset = '{offset}'")
    rig.query(  # connections that are open know the old clock
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    rig.figures.injected += 1


def postgres_immediate(rig: Rig) -> None:
    """SIGQUIT to the postmaster under load: commits are cut off; it comes back at once."""
    for _ in range(20):
        rig.submit(4)
    workers = rig.workers(3, CHAOS_PACE="0")
    wait_for(lambda: rig.finished_files() > 4, 40)
    for _ in range(3):
        held = rig.held_by({worker.pid for worker in workers})
        _stop_postgres(rig, signal.SIGQUIT)
        rig.server.ensure_running()
        rig.recover(held)
        time.sleep(0.3)
    rig.drain()
    _whole(rig)


def postgres_away(rig: Rig) -> None:
    """No database for 45 seconds; workers wait with what they have in hand."""
    for _ in range(8):
        rig.submit(4)
    workers = rig.workers(3, CHAOS_PACE="0.1")
    wait_for(lambda: rig.finished_files() > 4, 40)
    held = rig.held_by({worker.pid for worker in workers})
    _stop_postgres(rig, signal.SIGINT)
    time.sleep(45)
    if any(worker.poll() is not None for worker in workers):
        rig.figures.broken.append("a worker ended because the database was away")
    rig.server.ensure_running()
    rig.recover(held)
    rig.drain()
    _whole(rig)


FAULTS: dict[str, Callable[[Rig], None]] = {
    "kill-worker": kill_worker,
    "stop-worker": stop_worker,
    "late-writer": late_writer,
    "rolling-terms": rolling_terms,
    "eight-claimers": eight_claimers,
    "cancel-and-finish": cancel_and_finish,
    "wrong-clocks": wrong_clocks,
    "postgres-immediate": postgres_immediate,
    "postgres-away": postgres_away,
}


def _whole(rig: Rig) -> None:
    check(rig)
    expect_whole(rig)


def _end(
    rig: Rig, workers: list[subprocess.Popen[bytes]], number: int, how: int, **extra: str
) -> None:
    """Send a worker a signal, start another in its place, wait until its jobs have passed on."""
    victim = workers[number]
    held = rig.held_by({victim.pid})
    victim.send_signal(how)
    victim.wait(30)
    rig.figures.injected += 1
    workers[number] = rig.worker(**extra)
    rig.recover(held)


def _finish(rig: Rig, lease: object, start: threading.Barrier) -> None:
    start.wait()
    try:
        rig.inbox.finish(lease)  # type: ignore[arg-type]
    except InboxError:
        rig.figures.refused += 1


def _problem() -> object:
    from inbox.model import Problem

    return Problem(code="corrupt_file", message="x")


def _stop_postgres(rig: Rig, how: int) -> None:
    data = next(Path(rig.home.parent).glob("server/postgres/cluster/data"))
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, how)
    rig.figures.injected += 1
    wait_for(lambda: not psutil.pid_exists(pid) or _zombie(pid), 20)


def _zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
