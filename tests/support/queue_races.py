"""Races at the queue that one connection alone cannot run."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb
from queue_rows import check_rows, read

# Opens the gap between the look at the lease and the write, where there is one.
SLOW = """
create or replace function public.race_pause() returns trigger language plpgsql as $$
begin perform pg_sleep(random() * 0.004); return null; end $$;
create or replace trigger race_pause before update on public.inbox_files
  for each statement execute function public.race_pause();
"""
LAPSED = "set inbox.clock_offset = '31 seconds'"  # leases last 30
DONE = {"status": "completed", "label": "x"}


class Caller:
    """One connection, as one worker has."""

    def __init__(self, url: str, *setup: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        for statement in setup:
            self.connection.execute(statement.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def __call__(self, function: str, *arguments: Any) -> Any:
        """Call one of the queue's functions."""
        values = [Jsonb(value) if isinstance(value, list | dict) else value for value in arguments]
        places = ", ".join("%s" for _ in values)
        query = f"select public.inbox_{function}({places})".encode()
        row = self.connection.execute(query, values).fetchone()
        return row[0] if row else None

    def submit(
        self,
        files: int,
        client: str = "local",
        attempts: int = 100,
        sealed: str | None = None,
        items: list[dict[str, Any]] | None = None,
    ) -> UUID:
        """A new job, of so many files or of these."""
        job_id = uuid4()
        items = items or [{"name": f"{n}", "storage_key": f"{n}"} for n in range(files)]
        self("submit_job", job_id, items, None, client, attempts, None, sealed)
        return job_id


def late_writers(url: str, rounds: int) -> int:
    """A worker finishes a job while another, for whom its lease is over, takes it.

    Answers how often the second one came in time.

    Raises:
        AssertionError: a file was handed to the second and written by the first all the same.
    """
    with (
        Caller(url, SLOW) as first,
        Caller(url, LAPSED) as second,
        ThreadPoolExecutor(2) as pool,
    ):
        return sum(_one_late_writer(first, second, pool, url) for _ in range(rounds))


def _one_late_writer(first: Caller, second: Caller, pool: ThreadPoolExecutor, url: str) -> bool:
    job_id = first.submit(files=2)
    lease = first("claim_job", job_id, "first", 30.0)
    files = [file["id"] for file in lease["files"]]
    start = threading.Barrier(2)

    def write() -> dict[str, str]:
        start.wait()
        answers = {}
        for file_id in files:
            first("start_file", job_id, lease["token"], file_id, 30.0)
            answers[file_id] = first("record_file", job_id, lease["token"], file_id, DONE, 30.0)
        answers["job"] = first("finish_job", job_id, lease["token"])
        return answers

    def take() -> dict[str, Any] | None:
        start.wait()
        threading.Event().wait(random.random() * 0.01)
        for _ in range(random.randrange(1, 9)):
            second("reap_jobs", 100)
            found: dict[str, Any] | None = second("claim_job", job_id, "second", 30.0)
            if found is not None:
                break
        return found

    writing, taking = pool.submit(write), pool.submit(take)
    answers, taken = writing.result(), taking.result()
    handed = {file["id"] for file in taken["files"]} if taken else set()
    for file_id in files:
        assert (answers[file_id] == "lost") == (file_id in handed), "written under another's lease"
    if taken is not None:
        assert answers["job"] == "lost"
        for file_id in handed:
            assert second("start_file", job_id, taken["token"], file_id, 30.0) == "ok"
            assert second("record_file", job_id, taken["token"], file_id, DONE, 30.0) == "ok"
        assert second("finish_job", job_id, taken["token"]) == "completed"
    with psycopg.connect(url) as connection:
        rows = read(connection)
        check_rows(rows)
        assert rows.jobs[job_id].status == "completed"
        connection.execute("delete from inbox_jobs")
    return taken is not None


def claimers_at_once(url: str, rounds: int, claimers: int = 8) -> None:
    """As many claimers as jobs, at the same moment: each gets one, and none gets another's.

    Raises:
        AssertionError: two got the same, or one got nothing.
    """
    callers = [Caller(url) for _ in range(claimers)]
    start = threading.Barrier(claimers)

    def claim(caller: Caller) -> str:
        start.wait()
        lease = caller("claim_job", None, f"{uuid4()}", 30.0)
        assert lease, "a claimer went away empty while a job was waiting"
        return str(lease["job_id"])

    with ThreadPoolExecutor(claimers) as pool:
        try:
            for _ in range(rounds):
                jobs = {str(callers[0].submit(files=1)) for _ in callers}
                claims = list(pool.map(claim, callers))
                assert len(set(claims)) == claimers
                assert set(claims) == jobs
        finally:
            for caller in callers:
                caller.__exit__()


def nobody_waits(url: str) -> None:
    """While somebody else is busy with one job, the others can be claimed and reaped.

    Raises:
        AssertionError: the call did not find the free job.
        psycopg.errors.LockNotAvailable: it stood in line.
    """
    with (
        Caller(url, "set lock_timeout = '300ms'") as caller,
        Caller(url, "set lock_timeout = '300ms'", LAPSED) as reaper,
        psycopg.connect(url) as busy,
    ):
        jobs = [caller.submit(files=1) for _ in range(2)]
        _lock(busy, jobs[0])
        lease = caller("claim_job", None, "claimer", 30.0)
        assert lease
        assert UUID(lease["job_id"]) == jobs[1]
        busy.rollback()
        assert caller("claim_job", jobs[0], "claimer", 30.0)
        _lock(busy, jobs[0])
        assert reaper("reap_jobs", 100) == 1
        busy.rollback()
        assert reaper("reap_jobs", 100) == 1


def _lock(connection: psycopg.Connection[Any], job_id: UUID) -> None:
    connection.execute("select from inbox_jobs where id = %s for update", (job_id,))


RACES: dict[str, Callable[[str], object]] = {
    "late_writers": lambda url: late_writers(url, 200),
    "claimers_at_once": lambda url: claimers_at_once(url, 20),
    "nobody_waits": nobody_waits,
}
