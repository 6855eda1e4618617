"""A plain model of the queue beside the real one: both do the same steps and must agree.

The house clock of the database stands still but for the rules that move it, and its dice fall the
same each time, so that the model can say of every call exactly what it has to answer, also at the
very moment at which a lease ends.
"""

from __future__ import annotations

from uuid import UUID

import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test
from queue_expected import LEASE, OPEN, TICK, Expectations, FileModel, JobModel
from queue_rows import TERMINAL

SILENCE = 3  # ticks after which a lease is over
PAUSE = 31  # ticks after which no backoff is left
HOUR = 3600.0
STILL = """
create or replace function inbox_private.clock() returns timestamptz
language sql stable set search_path = '' as $$
  select timestamptz '2026-01-01 00:00:00Z'
       + coalesce(nullif(current_setting('inbox.clock_offset', true), '')::interval, interval '0');
$$"""


class Queue(Expectations):
    """The rules."""

    def teardown(self) -> None:
        """Every job can be brought to an end, by work or by nothing but dying workers."""
        try:
            for number, job in enumerate(list(self.jobs.values())):
                self._drive(job, by_work=number % 2 == 0)
        finally:
            self.connection.close()

    # -- people -----------------------------------------------------------------------

    @rule(
        client=st.sampled_from("ab"),
        files=st.sampled_from([1, 2, 2, 3, 3, 0]),
        attempts=st.integers(1, 3),
    )
    def submit(self, client: str, files: int, attempts: int) -> None:
        """A new job; sent twice, it is one."""
        if files == 0:
            self._insert_without_files()
            return
        job_id = self._new_id()
        items = [{"name": f"{n}", "storage_key": f"{n}"} for n in range(files)]
        for _ in range(2):
            self._call("inbox_submit_job", job_id, items, None, client, attempts)
        found = [FileModel(f.id) for f in self.rows.files_of(job_id)]
        assert len(found) == files
        self.jobs[job_id] = JobModel(job_id, client, found, attempts, self.now, self.now)
        self._agree()

    def _insert_without_files(self) -> None:
        """A row that somebody inserted and never gave a file."""
        job_id = self._new_id()
        self.connection.execute("insert into inbox_jobs (id) values (%s)", (job_id,))
        self.jobs[job_id] = JobModel(job_id, "local", [], 5, self.now, self.now)
        self._look()
        self._agree()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        """Somebody wants something of a job."""
        data.draw(st.sampled_from((self._cancel, self._retry, self._delete)))(data)

    def _cancel(self, data: st.DataObject) -> None:
        """At once while it waits; else its worker is told."""
        job = self._some_job(data)
        self._call("inbox_cancel_job", job.id, None)
        if job.status in OPEN:
            job.cancel = True
            if job.status == "pending":
                self._close(job)
        self._agree()

    def _retry(self, data: st.DataObject) -> None:
        """A new chain for what failed or was cancelled; nothing else changes."""
        job = self._some_job(data)
        self._call("inbox_retry_job", job.id, None)
        again = [f for f in job.files if f.status in {"failed", "cancelled"}]
        if job.status in TERMINAL and again:
            for file in again:
                file.status, file.error, file.crashes = "pending", None, 0
                file.chain += 1
            job.status, job.cancel, job.charged, job.lost_dispatches = "pending", False, 0, 0
            job.chain += 1
            job.dispatch += 1
            job.available = self.now
        self._agree()

    def _delete(self, data: st.DataObject) -> None:
        """Only what is over is forgotten."""
        job = self._some_job(data)
        expected = "deleted" if job.status in TERMINAL else "running"
        assert self._call("inbox_delete_job", job.id, None)["state"] == expected
        if expected == "deleted":
            del self.jobs[job.id]
        self._agree()

    # -- dispatch ---------------------------------------------------------------------

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), behind=st.integers(0, 1))
    def redispatch(self, data: st.DataObject, behind: int) -> None:
        """A run ended without a claim; said twice, or too late, it changes nothing."""
        job = self._some_job(data)
        dispatch = job.dispatch - behind
        heard = job.status == "pending" and behind == 0
        assert self._call("inbox_redispatch_job", job.id, dispatch) is heard
        if heard:
            self._redispatched(job, dispatch)
        self._agree()

    @precondition(lambda self: sum(job.status == "pending" for job in self.jobs.values()) > 2)
    @rule(data=st.data())
    def no_run_starts(self, data: st.DataObject) -> None:
        """Ten runs end without a claim: the job is given up."""
        waiting = [job for job in self.jobs.values() if job.status == "pending"]
        job = data.draw(st.sampled_from(waiting))
        while job.status == "pending":
            assert job.lost_dispatches < 10
            dispatch = job.dispatch
            assert self._call("inbox_redispatch_job", job.id, dispatch) is True
            self._redispatched(job, dispatch)
        self._agree()

    @rule()
    def reap(self) -> None:
        """Exactly the jobs whose lease lapsed, and those that never got a file."""
        lapsed = [j for j in self.jobs.values() if j.status == "processing" and not self._live(j)]
        empty = [
            j
            for j in self.jobs.values()
            if j.status == "pending" and not j.files and self.now - j.born > HOUR
        ]
        assert self._call("inbox_reap_jobs", 100) == len(lapsed) + len(empty)
        for job in lapsed:
            self._end_attempt(job, "lapsed", charged=True, blame=True)
        for job in empty:
            job.status = "failed"
        self._agree()

    @rule(ticks=st.sampled_from([1, 1, SILENCE - 1, SILENCE, PAUSE, 400]))
    def tick(self, ticks: int) -> None:
        """Time passes."""
        self.now += ticks * TICK
        self.connection.execute(f"set inbox.clock_offset = '{self.now} seconds'")

    # -- workers ----------------------------------------------------------------------

    @precondition(lambda self: self.leases)
    @rule(reaped=st.booleans())
    def fall_silent(self, reaped: bool) -> None:
        """Every worker is silent for too long; what they do next is too late."""
        self.tick(SILENCE)
        if reaped:
            self.reap()
            self.claim_any("second", 1)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), owner=st.sampled_from(["first", "second"]))
    def claim(self, data: st.DataObject, owner: str) -> None:
        """This job: a lease where it waits, or the one its owner has already."""
        job = self._some_job(data)
        row = self._call("inbox_claim_job", job.id, owner, LEASE)
        if job.status == "pending" and job.files:
            self._claimed(job, owner, row)
        elif job.status == "processing" and job.owner == owner and self._live(job):
            assert row["token"] == job.token
        else:
            assert row is None
        self._agree()

    @rule(owner=st.sampled_from(["first", "second"]), times=st.integers(1, 3))
    def claim_any(self, owner: str, times: int) -> None:
        """The oldest of the client whose turn it is; asked again by the same name, the same."""
        for _ in range(times):
            job = self._next()
            name = f"{owner}-{len(self.leases)}"
            row = self._call("inbox_claim_job", None, name, LEASE)
            assert (row and UUID(row["job_id"])) == (job and job.id)
            if job is not None:
                self._claimed(job, name, row)
                assert self._call("inbox_claim_job", None, name, LEASE) == row
            self._agree()

    @precondition(lambda self: any(self._holder(held) for held in self.leases))
    @rule(data=st.data())
    def overtake(self, data: st.DataObject) -> None:
        """A worker falls silent in the middle of a file; another begins the same one."""
        late = data.draw(st.sampled_from([held for held in self.leases if self._holder(held)]))
        job = self.jobs[late.job_id]
        self._begin(job, late)
        self.tick(SILENCE)
        self.reap()
        if job.status == "pending":
            row = self._call("inbox_claim_job", job.id, "third", LEASE)
            self._claimed(job, "third", row)
            self._begin(job, self.leases[-1])
            outcome = {"status": "completed", "label": "too late"}
            for file in job.files:
                self._fenced(late, "inbox_record_file", file.id, outcome, LEASE)
            self._fenced(late, "inbox_heartbeat", LEASE)
        self._agree()

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), steps=st.integers(1, 6), slowly=st.booleans())
    def work(self, data: st.DataObject, steps: int, slowly: bool) -> None:
        """Whoever was given a lease, however long ago, does something with it."""
        verbs = (self._heartbeat, self._start, self._record, self._finish, self._release)
        for _ in range(steps):
            data.draw(st.sampled_from(verbs))(data)
            if slowly:
                self.tick(SILENCE - 1)

    def _heartbeat(self, data: st.DataObject) -> None:
        """Any lease ever given shows life."""
        lease = self._some_lease(data)
        self._fenced(lease, "inbox_heartbeat", LEASE)

    def _start(self, data: st.DataObject) -> None:
        """Any lease ever given begins a file."""
        lease = self._some_lease(data)
        file_id = data.draw(st.sampled_from(lease.files))
        job = self._fenced(lease, "inbox_start_file", file_id, LEASE, agree=False)
        if job is not None:
            file = self._file(job, file_id)
            if file.status == "pending":
                file.status, file.token = "processing", lease.token
        self._agree()

    def _record(self, data: st.DataObject) -> None:
        """Any lease ever given writes an outcome; the first stands."""
        good = data.draw(st.booleans())
        lease = self._some_lease(data)
        file_id = data.draw(st.sampled_from(lease.files))
        label = f"by {lease.token}"
        holder = self._holder(lease)
        if good and holder and self._file(holder, file_id).status == "pending":
            self._fenced(lease, "inbox_start_file", file_id, LEASE, agree=False)
            self._file(holder, file_id).status = "processing"
        outcome = (
            {"status": "completed", "label": label}
            if good
            else {"status": "failed", "error_code": label}
        )
        job = self._fenced(lease, "inbox_record_file", file_id, outcome, LEASE, agree=False)
        if job is not None:
            file = self._file(job, file_id)
            if file.status in OPEN:
                file.status, file.token = outcome["status"], lease.token
                file.label, file.error = outcome.get("label"), outcome.get("error_code")
            other = {"status": "failed", "error_code": "a later outcome"}
            self._fenced(lease, "inbox_record_file", file_id, other, LEASE)
        self._agree()

    def _finish(self, data: st.DataObject) -> None:
        """Any lease ever given closes its job; asked again it says the same."""
        lease = self._some_lease(data)
        job = self._holder(lease)
        expected = self._ended(lease, TERMINAL)
        if job is not None:
            if job.cancel or not job.open_files:
                self._close(job)
                expected = job.status
            else:
                expected = "processing"
        for _ in range(2):
            assert self._call("inbox_finish_job", lease.job_id, lease.token) == expected
        self._agree()

    def _release(self, data: st.DataObject) -> None:
        """Any lease ever given hands its job back; asked again it says the same."""
        how = data.draw(st.sampled_from(["graceful", "charged", "crashed"]))
        lease = self._some_lease(data)
        job = self._holder(lease)
        charged, crashed = how == "charged", how == "crashed"
        answers = [
            self._call("inbox_release_job", lease.job_id, lease.token, charged, crashed)
            for _ in range(2)
        ]
        if job is not None:
            outcome = "crashed" if crashed else "released"
            self._end_attempt(job, outcome, charged=how != "graceful", blame=crashed)
        expected = self._ended(lease, TERMINAL | {"pending"})
        assert answers == [expected] * 2
        self._agree()

    def _drive(self, job: JobModel, *, by_work: bool) -> None:
        """Bring a job to its end; in as many claims as it has attempts left."""
        if not job.files:
            self.tick(400)
            self.reap()
        left = job.max_attempts - job.charged + 1
        while job.status in OPEN:
            self.tick(PAUSE)
            self.reap()
            if job.status != "pending":
                break
            assert left > 0, "more attempts than the job may have"
            left -= 1
            row = self._call("inbox_claim_job", job.id, "driver", LEASE)
            self._claimed(job, "driver", row)
            if by_work:
                for file in job.open_files:
                    outcome = {"status": "completed", "label": "driven"}
                    self._call("inbox_start_file", job.id, job.token, file.id, LEASE)
                    args = (job.id, job.token, file.id, outcome, LEASE)
                    assert self._call("inbox_record_file", *args) == "ok"
                    file.status, file.token, file.label = "completed", job.token, "driven"
                assert self._call("inbox_finish_job", job.id, job.token) in TERMINAL
                self._close(job)
        self._agree()


def explore(url: str, examples: int, steps: int, *, shrink: bool = True) -> dict[str, int]:
    """Let the model and the database at `url` do the same; how often each function was called.

    Raises:
        AssertionError: they disagree, or a promise is broken.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STILL.encode())
    machine = type("Exploration", (Queue,), {"url": url, "seen": {}})
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=phases,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return machine.seen
