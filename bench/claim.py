"""How fast jobs are claimed: `python bench/claim.py [FINISHED_JOBS]`.

2,000 jobs and eight claimers with a connection each, first in an empty database, then beside a
million finished jobs; there also how long one claim takes. Ends with a JSON line; exit code 1 where
a job was claimed twice or never, or the p95 of a claim beside the finished jobs, without the wait
for the disk at its commit, is not under 5 ms.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from inbox.embedded import EmbeddedPostgres
from inbox.store import migrate

JOBS, CLAIMERS, SAMPLES = 2000, 8, 500
LIMIT_MS = 5.0
CLAIM = "select public.inbox_claim_job(null, gen_random_uuid()::text, 30)"
# The rows of a year: their guards looked at every one when it was written.
FINISHED = """
insert into inbox_jobs (client_id, status, total_files, processed_files, progress, attempt,
                        created_at, started_at, finished_at, result)
select 'client-' || n %% 20, 'completed', 1, 1, 100, 1,
       now() - interval '1 year' + n * interval '30 seconds', now(), now(), '{}'
  from generate_series(1, %s) n"""
CLOSE = """
update inbox_jobs set status = 'completed', result = '{}', finished_at = now(), processed_files = 1,
       progress = 100, lease_token = null, lease_owner = null, lease_expires_at = null
 where status = 'processing' and 1 = %s"""
WAITING = """
insert into inbox_jobs (client_id, total_files)
select 'client-' || n %% 5, 1 from generate_series(1, %s) n"""


def fill(url: str, statement: str, count: int) -> None:
    """Insert rows with triggers and foreign keys off."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(statement, (count,))


def race(url: str) -> dict[str, Any]:
    """Eight claimers empty the queue of 2,000 jobs."""
    fill(url, WAITING, JOBS)
    start = threading.Barrier(CLAIMERS + 1)

    def claim_all() -> tuple[list[str], int]:
        mine, idle, empty = [], 0, 0
        with psycopg.connect(url, autocommit=True) as connection:
            start.wait()
            while idle < 3:  # one that went away empty looks again
                row = connection.execute(CLAIM).fetchone()
                if row and row[0]:
                    mine.append(row[0]["job_id"])
                    empty, idle = empty + idle, 0
                else:
                    idle += 1
        return mine, empty

    with ThreadPoolExecutor(CLAIMERS) as pool:
        claimers = [pool.submit(claim_all) for _ in range(CLAIMERS)]
        start.wait()
        began = time.perf_counter()
        claims = Counter(job for one in claimers for job in one.result()[0])
        seconds = time.perf_counter() - began
    return {
        "jobs": JOBS,
        "claimers": CLAIMERS,
        "claimed_once": sum(count == 1 for count in claims.values()),
        "claimed_twice": sum(count > 1 for count in claims.values()),
        "away_empty_too_early": sum(one.result()[1] for one in claimers),
        "claims_per_second": round(JOBS / seconds),
    }


def sample(url: str) -> dict[str, float]:
    """How long one claim takes, in milliseconds, one at a time with hundreds waiting.

    Beside it what a claim takes without the wait for the disk, which is the queue's own share, and
    what the smallest durable commit takes on this machine at this moment.
    """
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table if not exists smallest (n integer)")
        for name, durable in (("", "on"), ("undurable_", "off")):
            fill(url, CLOSE, 1)
            fill(url, WAITING, SAMPLES + 200)
            # A year's rows were not written a moment ago: nothing of them is still on its way.
            connection.execute("vacuum analyze inbox_jobs")
            connection.execute("checkpoint")
            connection.execute(f"set synchronous_commit = {durable}")
            claims, commits = [], []
            for _ in range(SAMPLES):
                claims.append(_milliseconds(connection, CLAIM))
                commits.append(_milliseconds(connection, "insert into smallest values (1)"))
            found |= {f"{name}claim_{q}": v for q, v in _quantiles(claims).items()}
            if durable == "on":
                found |= {f"smallest_commit_{q}": v for q, v in _quantiles(commits).items()}
    return found


def _milliseconds(connection: psycopg.Connection[Any], statement: str) -> float:
    began = time.perf_counter()
    connection.execute(statement.encode())
    return (time.perf_counter() - began) * 1000


def _quantiles(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": round(cuts[49], 2), "p95_ms": round(cuts[94], 2)}


def main(finished: int) -> int:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory(prefix="inbox-bench-") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        server.ensure_database("empty")
        server.ensure_database("full")
        for name in ("empty", "full"):
            migrate(server.url(name))
        found: dict[str, Any] = {"empty": race(server.url("empty")), "finished_jobs": finished}
        found["empty"] |= sample(server.url("empty"))
        fill(server.url("full"), FINISHED, finished)
        with psycopg.connect(server.url("full"), autocommit=True) as connection:
            connection.execute("analyze inbox_jobs")
            connection.execute("checkpoint")
        found["full"] = race(server.url("full"))
        found["full"] |= sample(server.url("full"))
    for name in ("empty", "full"):
        print(name, found[name])
    good = all(found[name]["claimed_once"] == JOBS for name in ("empty", "full"))
    good = good and found["full"]["undurable_claim_p95_ms"] < LIMIT_MS
    print(json.dumps(found | {"ok": good}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
