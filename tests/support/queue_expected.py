"""What the queue should be: plain values, and how they are compared with the rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from psycopg.types.json import Jsonb
from queue_rows import Rows, check_rows, check_step, read

TICK = 10.0
LEASE = 30.0
OPEN = {"pending", "processing"}


@dataclass
class FileModel:
    """What a file should be."""

    id: UUID
    status: str = "pending"
    chain: int = 1
    crashes: int = 0
    label: str | None = None
    error: str | None = None
    token: int | None = None


@dataclass
class JobModel:
    """What a job should be."""

    id: UUID
    client: str
    files: list[FileModel]
    max_attempts: int
    born: float
    available: float
    status: str = "pending"
    chain: int = 1
    attempt: int = 0
    charged: int = 0
    dispatch: int = 1
    lost_dispatches: int = 0
    cancel: bool = False
    token: int | None = None
    owner: str | None = None
    expires: float = 0
    outcomes: dict[int, str] = field(default_factory=dict)

    @property
    def open_files(self) -> list[FileModel]:
        """Files that are not over."""
        return [file for file in self.files if file.status in OPEN]


@dataclass(frozen=True)
class Held:
    """A lease that somebody was once given, and the files that came with it."""

    job_id: UUID
    token: int
    owner: str
    files: tuple[UUID, ...]


class Expectations(RuleBasedStateMachine):
    """The model beside the rows; `url` and `seen` are set by whoever runs it."""

    url: ClassVar[str]
    seen: ClassVar[dict[str, int]]

    def __init__(self) -> None:
        super().__init__()
        self.connection = psycopg.connect(self.url, autocommit=True)
        self.connection.execute("truncate inbox_jobs cascade")
        self.connection.execute("select setseed(0.5)")
        self.now = 0.0
        self.born = 0
        self.jobs: dict[UUID, JobModel] = {}
        self.leases: list[Held] = []
        self.rows = read(self.connection)

    def _call(self, function: str, *arguments: Any) -> Any:
        values = [Jsonb(value) if isinstance(value, list | dict) else value for value in arguments]
        places = ", ".join("%s" for _ in values)
        row = self.connection.execute(f"select public.{function}({places})".encode(), values)
        answer = row.fetchone()[0]  # type: ignore[index]
        self.seen[function] = self.seen.get(function, 0) + 1
        self._look()
        return answer

    def _look(self) -> Rows:
        before, self.rows = self.rows, read(self.connection)
        check_rows(self.rows)
        check_step(before, self.rows)
        return before

    def _agree(self) -> None:
        """Row by row, the model and the database say the same."""
        assert set(self.rows.jobs) == set(self.jobs)
        for job in self.jobs.values():
            row = self.rows.jobs[job.id]
            assert (row.status, row.attempt, row.charged_attempts, row.chain, row.cancelled) == (
                job.status,
                job.attempt,
                job.charged,
                job.chain,
                job.cancel,
            )
            assert row.lease_token == job.token
            assert [
                (f.status, f.chain, f.crash_count, f.label, f.error_code, f.lease_token)
                for f in self.rows.files_of(job.id)
            ] == [(f.status, f.chain, f.crashes, f.label, f.error, f.token) for f in job.files]

    def _fenced(
        self, lease: Held, function: str, *arguments: Any, agree: bool = True
    ) -> JobModel | None:
        """Call as the holder of a lease; the job where it still is one, else nothing changed."""
        job, before = self._holder(lease), self.rows
        answer = self._call(function, lease.job_id, lease.token, *arguments)
        if job is None:
            self.seen["stale"] = self.seen.get("stale", 0) + 1
            assert answer == "lost"
            assert _still(before) == _still(self.rows)
            return None
        assert answer == ("cancel" if job.cancel else "ok")
        job.expires = max(job.expires, self.now + LEASE)
        if agree:
            self._agree()
        return job

    def _holder(self, lease: Held) -> JobModel | None:
        job = self.jobs.get(lease.job_id)
        return job if job and job.token == lease.token and self._live(job) else None

    def _ended(self, lease: Held, said: set[str]) -> str:
        job = self.jobs.get(lease.job_id)
        outcome = job.outcomes.get(lease.token, "lost") if job else "lost"
        answer = "pending" if outcome in {"released", "crashed"} else outcome
        return answer if answer in said else "lost"

    def _claimed(self, job: JobModel, owner: str, row: dict[str, Any]) -> None:
        tokens = [held.token for held in self.leases]
        assert row["token"] > max(tokens, default=0)
        assert [UUID(f["id"]) for f in row["files"]] == [f.id for f in job.open_files]
        assert row["one_at_a_time"] == (job.charged > 0)
        job.status, job.token, job.owner = "processing", row["token"], owner
        job.attempt += 1
        job.lost_dispatches = 0
        job.expires = self.now + LEASE
        assert row["attempt"] == job.attempt
        self.leases.append(Held(job.id, row["token"], owner, tuple(f.id for f in job.files)))

    def _end_attempt(self, job: JobModel, outcome: str, *, charged: bool, blame: bool) -> None:
        token = job.token
        assert token is not None
        longest = min(300.0, 2.0 * 2**job.charged)
        job.charged += charged
        for file in job.files:
            if file.status == "processing":
                file.status = "pending"
                if blame and file.crashes:
                    file.status, file.error = "failed", "crashed_worker_twice"
                file.crashes += blame
        if not job.cancel and job.charged >= job.max_attempts:
            self._fail_open(job, "job_out_of_attempts")
        if job.cancel or not job.open_files:
            self._close(job)
            return
        job.outcomes[token] = outcome
        job.status, job.token, job.owner = "pending", None, None
        job.dispatch += 1
        job.available = self.now
        if charged:
            wait = round(self.rows.jobs[job.id].available_in, 6)
            assert longest / 2 <= wait <= longest
            job.available += wait

    def _redispatched(self, job: JobModel, dispatch: int) -> None:
        job.dispatch += 1
        job.lost_dispatches += 1
        wait = min(300.0, 2.0**job.lost_dispatches / 2)
        job.available = self.now + wait
        assert round(self.rows.jobs[job.id].available_in, 6) == wait
        assert self._call("inbox_redispatch_job", job.id, dispatch) is False
        if job.lost_dispatches >= 10:
            self._fail_open(job, "never_started")
            self._close(job)

    def _begin(self, job: JobModel, lease: Held) -> None:
        """Start the first file that waits, if one does."""
        for file in job.files:
            if file.status == "pending":
                self._fenced(lease, "inbox_start_file", file.id, LEASE, agree=False)
                file.status, file.token = "processing", lease.token
                return

    def _fail_open(self, job: JobModel, code: str) -> None:
        for file in job.open_files:
            file.status, file.error = "failed", code

    def _close(self, job: JobModel) -> None:
        for file in job.open_files:
            assert job.cancel
            file.status = "cancelled"
        ends = {file.status for file in job.files}
        job.status = next((e for e in ("cancelled", "completed") if e in ends), "failed")
        if job.token is not None:
            job.outcomes[job.token] = job.status
        job.token, job.owner = None, None

    def _next(self) -> JobModel | None:
        """Each client's first before any client's second, jobs at work counting as turns."""
        turns = Counter(job.client for job in self.jobs.values() if job.status == "processing")
        queue = []
        for job in sorted(self.jobs.values(), key=lambda job: (job.available, job.id)):
            if job.status == "pending" and job.files and job.available <= self.now:
                turns[job.client] += 1
                queue.append((turns[job.client], job.available, job.id))
        return self.jobs[min(queue)[2]] if queue else None

    def _new_id(self) -> UUID:
        self.born += 1
        return UUID(int=self.born)

    def _live(self, job: JobModel) -> bool:
        return job.token is not None and job.expires > self.now

    def _some_job(self, data: st.DataObject) -> JobModel:
        """One that is being worked on, or any."""
        at_work = [job for job in self.jobs.values() if job.status == "processing"]
        kinds = [jobs for jobs in (at_work, list(self.jobs.values())) if jobs]
        return data.draw(st.sampled_from(data.draw(st.sampled_from(kinds))))

    def _some_lease(self, data: st.DataObject) -> Held:
        """One that is good, one that was overtaken, or any."""
        good = [held for held in self.leases if self._holder(held)]
        overtaken = [held for held in self.leases if held not in good and self._is_at_work(held)]
        kinds = [leases for leases in (good, overtaken, self.leases) if leases]
        return data.draw(st.sampled_from(data.draw(st.sampled_from(kinds))))

    def _is_at_work(self, held: Held) -> bool:
        job = self.jobs.get(held.job_id)
        return job is not None and job.status == "processing"

    @staticmethod
    def _file(job: JobModel, file_id: UUID) -> FileModel:
        return next(file for file in job.files if file.id == file_id)


def _still(rows: Rows) -> object:
    """The rows without what time alone changes."""
    jobs = {job._replace(available_in=0, result=None) for job in rows.jobs.values()}
    return jobs, set(rows.files.values()), rows.attempts
