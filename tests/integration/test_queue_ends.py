"""What the rows promise when a job is cancelled, handed out, listed or refused."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import UUID, uuid4

import psycopg
import pytest
from local_project import PREPARE, local_project
from queue_steps import DOCUMENT, FOUND, Submit, claimed, complete, later, statuses

from inbox.errors import (
    InboxError,
    InvalidRequest,
    JobCancelled,
    JobNotFound,
    MigrationsMissing,
    StoreUnavailable,
)
from inbox.model import (
    Blob,
    FileStatus,
    Heartbeat,
    JobStatus,
    Label,
    Order,
    Pending,
    Upload,
)
from inbox.project import KeyKind, Project, open_project
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store, Transport
from inbox.store.supabase import SupabaseTransport


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
