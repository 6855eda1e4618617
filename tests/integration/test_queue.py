"""What the rows promise, whoever calls the SQL functions: claims, leases, attempts."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from queue_steps import BROKEN, DOCUMENT, FOUND, Submit, claimed, complete, later

from inbox.errors import (
    LeaseLost,
)
from inbox.model import (
    Blob,
    Evidence,
    Heartbeat,
    JobStatus,
    Order,
    Upload,
)
from inbox.store.store import Store


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
