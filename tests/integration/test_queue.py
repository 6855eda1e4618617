"""What the rows promise, whoever calls the SQL functions and in whatever order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import UUID, uuid4

import psycopg
import pytest
from local_project import PREPARE, local_project

from inbox.errors import (
    InboxError,
    InvalidRequest,
    JobCancelled,
    JobNotFound,
    LeaseLost,
    MigrationsMissing,
    StoreUnavailable,
)
from inbox.model import (
    Blob,
    Classification,
    Document,
    Evidence,
    FileStatus,
    Heartbeat,
    Job,
    JobStatus,
    Label,
    Lease,
    Order,
    Page,
    PageSource,
    Pending,
    Problem,
    Upload,
)
from inbox.project import KeyKind, Project, open_project
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store, Transport
from inbox.store.supabase import SupabaseTransport

DOCUMENT = Document(
    media_type="text/plain",
    pages=(
        Page(number=1, text="Invoice 7", source=PageSource.NATIVE),
        Page(number=2, text="scan", source=PageSource.OCR),
    ),
)
FOUND = Classification(
    label="invoice",
    confidence=0.9,
    evidence=(Evidence(quote="Invoice 7", page=1),),
    classifier="test",
)
BROKEN = Problem(code="corrupt_file", message="The file is broken.")
Submit = Callable[..., UUID]


@pytest.fixture
def submit(store: Store) -> Submit:
    """Submits a job of some files; answers its id."""

    def submit(files: int = 2, client_id: str = "local", max_attempts: int = 5) -> UUID:
        job_id = uuid4()
        uploads = [
            Upload(name=f"{n}.txt", blob=Blob(key=f"{job_id}/{n}", sha256="0" * 64, size=9))
            for n in range(1, files + 1)
        ]
        order = Order(uploads=tuple(uploads), client_id=client_id, max_attempts=max_attempts)
        store.submit(job_id, order)
        return job_id

    return submit


def claimed(store: Store, job_id: UUID, owner: str = "worker") -> Lease:
    """Claim a job that waits."""
    lease = store.claim(job_id, owner)
    assert lease is not None
    return lease


def complete(store: Store, lease: Lease) -> None:
    """Do every file of a lease."""
    for file in lease.files:
        store.start(lease, file)
        store.record(lease, file, DOCUMENT, FOUND)


def later(rows_url: str, seconds: float, call: str) -> object:
    """Call a function with the database's clock moved."""
    with psycopg.connect(rows_url, autocommit=True) as connection:
        connection.execute(f"set inbox.clock_offset = '{seconds} seconds'")
        row = connection.execute(f"select {call}").fetchone()
        assert row is not None
        return row[0]


def statuses(job: Job) -> list[FileStatus]:
    """The statuses of a job's files."""
    assert job.result is not None
    return [file.status for file in job.result.results]


def test_a_job_goes_from_pending_to_completed(store: Store, submit: Submit) -> None:
    """Progress and processed_files grow file by file; the result names every file."""
    job_id = submit(files=3)
    assert store.get(job_id).status == JobStatus.PENDING
    lease = claimed(store, job_id)
    seen = []
    for file in lease.files:
        store.start(lease, file)
        store.record(lease, file, DOCUMENT, FOUND)
        job = store.get(job_id)
        seen.append((job.status, job.progress, job.processed_files))
    assert seen == [("processing", 33, 1), ("processing", 66, 2), ("processing", 100, 3)]
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED
    job = store.get(job_id)
    assert job.result is not None
    assert (job.result.total_files, job.result.successful, job.result.failed) == (3, 3, 0)
    first = job.result.results[0]
    assert (first.filename, first.label, first.pages, first.ocr_pages) == ("1.txt", "invoice", 2, 1)
    assert first.evidence == (Evidence(quote="Invoice 7", page=1),)
    assert first.text_length == len(DOCUMENT.text)


def test_a_failed_file_does_not_fail_the_job(store: Store, submit: Submit) -> None:
    """A job is completed when one file is; the counts say how many failed."""
    job_id = submit(files=2)
    lease = claimed(store, job_id)
    store.start(lease, lease.files[0])
    store.record(lease, lease.files[0], DOCUMENT, FOUND)
    store.record_failure(lease, lease.files[1], BROKEN)
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED
    result = store.get(job_id).result
    assert result is not None
    assert (result.successful, result.failed) == (1, 1)
    assert result.results[1].error_code == "corrupt_file"


def test_a_job_fails_when_every_file_did(store: Store, submit: Submit) -> None:
    """The error says which codes there were."""
    job_id = submit(files=2)
    lease = claimed(store, job_id)
    for file in lease.files:
        store.record_failure(lease, file, BROKEN)
    assert store.finish(job_id, lease.token) == JobStatus.FAILED
    job = store.get(job_id)
    assert job.error is not None
    assert job.error.code == "all_files_failed"
    assert "corrupt_file" in job.error.message


def test_every_verb_may_be_called_twice(store: Store, submit: Submit) -> None:
    """Whoever lost an answer asks again, gets the same answer, and nothing happens twice."""
    job_id = submit(files=1)
    store.submit(job_id, Order(uploads=(Upload(name="x", blob=Blob(key="other")),)))
    assert store.get(job_id).total_files == 1
    lease = claimed(store, job_id)
    assert claimed(store, job_id) == lease
    complete(store, lease)
    complete(store, lease)
    store.record_failure(lease, lease.files[0], BROKEN)
    assert store.get(job_id).processed_files == 1
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED


def test_only_one_of_many_claimers_gets_a_job(store: Store, submit: Submit) -> None:
    """Eight claimers, twenty jobs: each job is claimed exactly once."""
    jobs = {submit(files=1) for _ in range(20)}
    start = threading.Barrier(8)

    def claim_all(number: int) -> list[UUID]:
        start.wait()
        mine = []
        while lease := store.claim(None, f"claimer-{number}-{len(mine)}"):
            mine.append(lease.job_id)
        return mine

    with ThreadPoolExecutor(8) as pool:
        claims = [job for mine in pool.map(claim_all, range(8)) for job in mine]
    assert len(claims) == 20
    assert set(claims) == jobs


def test_another_claimer_gets_nothing(store: Store, submit: Submit) -> None:
    """A job that is being worked on is not handed out again."""
    job_id = submit()
    claimed(store, job_id, "first")
    assert store.claim(job_id, "second") is None
    assert store.claim(uuid4(), "second") is None


def test_a_late_worker_writes_nothing(store: Store, submit: Submit, rows_url: str) -> None:
    """After its lease lapsed, and inside the new holder's work on the same file, it is refused."""
    job_id = submit(files=2)
    late = claimed(store, job_id, "late")
    store.start(late, late.files[0])
    assert later(rows_url, 31, "inbox_reap_jobs()") == 1
    fresh = claimed(store, job_id, "fresh")
    assert fresh.token > late.token
    store.start(fresh, fresh.files[0])
    for write in (
        lambda: store.start(late, late.files[0]),
        lambda: store.record(late, late.files[0], DOCUMENT, FOUND),
        lambda: store.record_failure(late, late.files[0], BROKEN),
        lambda: store.finish(job_id, late.token),
        lambda: store.release(job_id, late.token),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert store.heartbeat(late) == Heartbeat.LOST
    assert store.get(job_id).processed_files == 0
    complete(store, fresh)
    assert store.finish(job_id, fresh.token) == JobStatus.COMPLETED


def test_an_expired_lease_is_refused_before_anyone_reaps_it(
    store: Store, submit: Submit, rows_url: str
) -> None:
    """The clock decides, not the reaper."""
    job_id = submit(files=1)
    lease = claimed(store, job_id)
    call = f"inbox_heartbeat('{job_id}', {lease.token}, 30)"
    assert later(rows_url, 29, call) == "ok"
    assert later(rows_url, 29 + 31, call) == "lost"


def test_finished_files_are_not_done_again(store: Store, submit: Submit, rows_url: str) -> None:
    """The next attempt is handed the open files only, and one at a time."""
    job_id = submit(files=3)
    lease = claimed(store, job_id)
    assert not lease.one_at_a_time
    store.start(lease, lease.files[1])
    store.record(lease, lease.files[1], DOCUMENT, FOUND)
    later(rows_url, 31, "inbox_reap_jobs()")
    assert store.get(job_id).status == JobStatus.PENDING
    again = claimed(store, job_id, "again")
    assert [file.number for file in again.files] == [1, 3]
    assert again.one_at_a_time
    assert again.attempt == 2


def test_a_file_that_kills_two_workers_is_failed(store: Store, submit: Submit) -> None:
    """The innocent of its job go on."""
    job_id = submit(files=2)
    for owner in ("first", "second"):
        lease = claimed(store, job_id, owner)
        store.start(lease, lease.files[0])
        assert store.release(job_id, lease.token, crashed=True) == JobStatus.PENDING
    lease = claimed(store, job_id, "third")
    assert [file.number for file in lease.files] == [2]
    complete(store, lease)
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED
    result = store.get(job_id).result
    assert result is not None
    assert result.results[0].error_code == "crashed_worker_twice"


def test_a_graceful_release_is_not_charged(store: Store, submit: Submit) -> None:
    """A job can be handed back any number of times, and at once."""
    job_id = submit(files=1, max_attempts=1)
    for n in range(5):
        lease = claimed(store, job_id, f"worker-{n}")
        store.start(lease, lease.files[0])
        assert store.release(job_id, lease.token) == JobStatus.PENDING
        assert store.release(job_id, lease.token) == JobStatus.PENDING
        assert len(store.pending(1)) == 1
    lease = claimed(store, job_id)
    assert not lease.one_at_a_time
    complete(store, lease)
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED


def test_attempts_are_bounded(store: Store, submit: Submit) -> None:
    """A job that fails every attempt ends as failed, and its files say why."""
    job_id = submit(files=1, max_attempts=3)
    ends = []
    for n in range(3):
        lease = claimed(store, job_id, f"worker-{n}")
        ends.append(store.release(job_id, lease.token, charged=True))
    assert ends == [JobStatus.PENDING, JobStatus.PENDING, JobStatus.FAILED]
    result = store.get(job_id).result
    assert result is not None
    assert result.results[0].error_code == "job_out_of_attempts"
    assert store.claim(job_id, "late") is None


def test_a_charged_release_waits_before_the_next_attempt(store: Store, submit: Submit) -> None:
    """Dispatch does not see the job until its pause is over."""
    job_id = submit(files=1)
    lease = claimed(store, job_id)
    store.release(job_id, lease.token, charged=True)
    assert store.pending(10) == ()


def test_a_dead_worker_after_the_last_file_loses_nothing(
    store: Store, submit: Submit, rows_url: str
) -> None:
    """Between the last record and finish, the reaper finishes."""
    job_id = submit(files=2)
    complete(store, claimed(store, job_id))
    later(rows_url, 31, "inbox_reap_jobs()")
    job = store.get(job_id)
    assert job.status == JobStatus.COMPLETED
    assert job.progress == 100


def test_a_pending_job_is_cancelled_at_once(store: Store, submit: Submit) -> None:
    """Its files are cancelled with it, and nobody can claim it any more."""
    job_id = submit(files=2)
    assert store.cancel(job_id).status == JobStatus.CANCELLED
    assert statuses(store.get(job_id)) == [FileStatus.CANCELLED] * 2
    assert store.claim(job_id, "late") is None
    assert store.cancel(job_id).status == JobStatus.CANCELLED


def test_a_running_job_is_told_to_cancel(store: Store, submit: Submit) -> None:
    """Heartbeat and start say so; what is done is kept; the rest is cancelled."""
    job_id = submit(files=3)
    lease = claimed(store, job_id)
    store.start(lease, lease.files[0])
    assert store.cancel(job_id).cancel_requested
    assert store.heartbeat(lease) == Heartbeat.CANCEL
    store.record(lease, lease.files[0], DOCUMENT, FOUND)
    with pytest.raises(JobCancelled):
        store.start(lease, lease.files[1])
    assert store.finish(job_id, lease.token) == JobStatus.CANCELLED
    assert statuses(store.get(job_id)) == ["completed", "cancelled", "cancelled"]


def test_a_cancel_after_the_last_file_comes_too_late(store: Store, submit: Submit) -> None:
    """A job whose files are all done is completed."""
    job_id = submit(files=1)
    lease = claimed(store, job_id)
    complete(store, lease)
    store.cancel(job_id)
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED


def test_a_job_whose_worker_died_is_cancelled_by_the_reaper(
    store: Store, submit: Submit, rows_url: str
) -> None:
    """A cancel survives the worker that should have carried it out."""
    job_id = submit(files=1)
    claimed(store, job_id)
    store.cancel(job_id)
    later(rows_url, 31, "inbox_reap_jobs()")
    assert store.get(job_id).status == JobStatus.CANCELLED


def test_dispatch_counts_separate_the_runs_of_a_job(store: Store, submit: Submit) -> None:
    """Each time a job comes back, and each time its run ended early, its dispatch is new."""
    job_id = submit(files=1)
    first = store.pending(10)[0]
    assert first == Pending(job_id=job_id, dispatch=1)
    lease = claimed(store, job_id)
    assert store.pending(10) == ()
    store.release(job_id, lease.token)
    second = store.pending(10)[0]
    assert second.dispatch == 2
    assert not store.redispatch(first)
    assert store.redispatch(second)
    assert not store.redispatch(second)


def test_a_flow_that_never_starts_is_not_started_for_ever(store: Store, submit: Submit) -> None:
    """After ten runs that ended before their claim, the job is failed and says so."""
    job_id = submit(files=1)
    for dispatch in range(1, 11):
        assert store.redispatch(Pending(job_id=job_id, dispatch=dispatch))
    job = store.get(job_id)
    assert job.status == JobStatus.FAILED
    assert job.result is not None
    assert job.result.results[0].error_code == "never_started"


def test_no_more_jobs_are_handed_to_dispatch_than_may_run(store: Store, submit: Submit) -> None:
    """Those at work count."""
    jobs = [submit(files=1) for _ in range(5)]
    assert [pending.job_id for pending in store.pending(3)] == jobs[:3]
    claimed(store, jobs[0])
    assert [pending.job_id for pending in store.pending(3)] == jobs[1:3]
    claimed(store, jobs[1])
    claimed(store, jobs[2])
    assert store.pending(3) == ()


def test_the_run_that_holds_a_job_is_found(store: Store, submit: Submit) -> None:
    """A hook in another process learns the token, while the run holds the lease."""
    job_id, run_id = submit(files=1), uuid4()
    lease = store.claim(job_id, "worker", run_id)
    assert lease is not None
    assert store.token_of_run(job_id, run_id) == lease.token
    store.release(job_id, lease.token)
    assert store.token_of_run(job_id, run_id) is None


def test_clients_do_not_see_each_other(store: Store, submit: Submit) -> None:
    """Another client's job is not found, by get, cancel or list."""
    mine, theirs = submit(client_id="me"), submit(client_id="them")
    assert store.get(mine, "me").job_id == mine
    with pytest.raises(JobNotFound):
        store.get(theirs, "me")
    with pytest.raises(JobNotFound):
        store.cancel(theirs, "me")
    assert [job.job_id for job in store.list("me", None, None, 50)] == [mine]
    with pytest.raises(InvalidRequest):
        store.submit(theirs, Order(uploads=(Upload(name="x", blob=Blob(key="k")),), client_id="me"))


def test_a_list_is_paged_without_gaps(store: Store, submit: Submit) -> None:
    """Newest first; each page begins below the last row of the one before."""
    jobs = [submit(files=1) for _ in range(7)]
    seen: list[UUID] = []
    before = None
    while page := store.list(None, None, before, 3):
        seen += [job.job_id for job in page]
        before = (page[-1].created_at, page[-1].job_id)
    assert seen == jobs[::-1]
    store.cancel(jobs[0])
    assert [j.job_id for j in store.list(None, JobStatus.CANCELLED, None, 9)] == [jobs[0]]


def test_a_callers_labels_travel_with_the_lease(store: Store) -> None:
    """The worker classifies with the labels that the job brought."""
    labels = (Label(name="red", description="is red"), Label(name="blue"))
    job_id = uuid4()
    store.submit(job_id, Order(uploads=(Upload(name="x", blob=Blob(key="k")),), labels=labels))
    assert claimed(store, job_id).labels == labels


def test_a_database_without_migrations_says_so(transport: str, empty_database_url: str) -> None:
    """The error names the command that mends it."""
    with ExitStack() as stack:
        opened: Transport
        if transport == "postgres":
            opened = PostgresTransport(empty_database_url, 1)
        else:
            with psycopg.connect(empty_database_url, autocommit=True) as connection:
                connection.execute(PREPARE.encode())
            running = stack.enter_context(local_project(empty_database_url))
            opened = SupabaseTransport(open_project(running.settings()), 1)
        store = stack.enter_context(Store(opened, 30, 1))
        with pytest.raises(MigrationsMissing, match="inbox migrate"):
            store.get(uuid4())


def test_a_database_that_is_away_is_unavailable(transport: str) -> None:
    """A refused connection becomes an error that says to try again, within the patience."""
    opened: Transport
    if transport == "postgres":
        opened = PostgresTransport("postgresql://nobody:x@127.0.0.1:1/none", 1)
    else:
        nowhere = Project(url="http://127.0.0.1:1", key="sb_secret_x", kind=KeyKind.SECRET)
        opened = SupabaseTransport(nowhere, 1)
    with Store(opened, 30, 0.1) as store, pytest.raises(StoreUnavailable):
        store.get(uuid4())


def test_a_text_with_nul_is_refused(store: Store) -> None:
    """It cannot be stored, and the caller reads why."""
    uploads = [Upload(name="a\0b", blob=Blob(key="k"))]
    with pytest.raises(InvalidRequest, match="NUL"):
        store.submit(uuid4(), Order(uploads=tuple(uploads)))


def test_what_a_constraint_refuses_is_not_repeated_in_the_error(store: Store) -> None:
    """The values of a row stay out of messages, which others store."""
    uploads = [Upload(name="secret.txt", blob=Blob(key="k", sha256="secret"))]
    with pytest.raises(InboxError) as caught:
        store.submit(uuid4(), Order(uploads=tuple(uploads)))
    assert "23514" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not caught.value.retry


def test_more_than_a_thousand_rows_come_back_whole(
    store: Store, submit: Submit, rows_url: str
) -> None:
    """Neither a job of 2,000 files nor a list of thousands of jobs is cut short."""
    job_id = submit(files=2000)
    lease = claimed(store, job_id)
    assert [file.number for file in lease.files] == list(range(1, 2001))
    store.start(lease, lease.files[0])
    store.record(lease, lease.files[0], DOCUMENT, FOUND)
    result = store.get(job_id).result
    assert result is not None
    assert len(result.results) == 2000
    with psycopg.connect(rows_url, autocommit=True) as connection:
        connection.execute("insert into inbox_jobs select from generate_series(1, 30000)")
    seen: set[UUID] = set()
    before = None
    while page := store.list(None, None, before, 500):
        seen |= {job.job_id for job in page}
        before = (page[-1].created_at, page[-1].job_id)
    assert len(seen) == 30_001
