"""Submissions that may be repeated, jobs tried again, forgotten or stuck, and fairness."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient

from inbox.api import create_app
from inbox.blobs import blob_key
from inbox.errors import (
    IdempotencyConflict,
    JobNotFound,
    JobNotOver,
    SubmissionInFlight,
)
from inbox.model import Blob, JobStatus, Problem, ReservationState, Upload
from inbox.service import Inbox
from inbox.settings import Settings

LETTER = b"Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n"
BROKEN = b"%PDF-1.7\nnothing of the kind"
Send = Callable[..., UUID]


@pytest.fixture
def send(inbox: Inbox) -> Send:
    """Stores contents and queues them as one job; answers its id."""

    def send(*contents: bytes, client_id: str = "local") -> UUID:
        job_id = uuid4()
        uploads = []
        for number, content in enumerate(contents, start=1):
            with inbox.blobs.create(blob_key(job_id, number)) as writer:
                writer.write(content)
                uploads.append(Upload(name=f"{number}.txt", blob=writer.commit()))
        return inbox.submit(job_id, uploads, client_id=client_id).job_id

    return send


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A client of the API."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as opened:
        yield opened


def post(client: TestClient, key: str, *contents: bytes) -> tuple[int, dict[str, object]]:
    """Submit with an Idempotency-Key."""
    files = [("files", (f"{n}.txt", content)) for n, content in enumerate(contents)]
    headers = {"Idempotency-Key": key}
    answer = client.post("/classify-documents-async", files=files, headers=headers)
    return answer.status_code, answer.json()


def test_a_repeated_request_is_the_same_job(client: TestClient, inbox: Inbox) -> None:
    """The client that lost the answer asks again and gets it; nothing is stored twice."""
    first = post(client, "key-1", LETTER)
    again = post(client, "key-1", LETTER)
    assert (first[0], again[0]) == (202, 202)
    assert first[1]["job_id"] == again[1]["job_id"]
    assert len(inbox.list()) == 1
    assert post(client, "key-2", LETTER)[1]["job_id"] != first[1]["job_id"]


def test_a_used_key_with_other_files_is_refused(client: TestClient, inbox: Inbox) -> None:
    """422 with a code, and no second job."""
    post(client, "key", LETTER)
    status, body = post(client, "key", LETTER, LETTER)
    assert (status, body["code"]) == (422, "idempotency_conflict")
    assert len(inbox.list()) == 1


def test_a_key_that_is_under_way_is_a_conflict(client: TestClient, inbox: Inbox) -> None:
    """409 with Retry-After while another request sends its files."""
    assert inbox.reserve("key", uuid4()).state == ReservationState.NEW
    answer = client.post(
        "/classify-documents-async",
        files=[("files", ("a.txt", LETTER))],
        headers={"Idempotency-Key": "key"},
    )
    assert answer.status_code == 409
    assert answer.json()["code"] == "submission_in_flight"
    assert int(answer.headers["retry-after"]) > 0


def test_a_refused_request_frees_its_key(client: TestClient) -> None:
    """The client mends its request and sends it under the same key."""
    assert post(client, "key")[0] == 415
    assert post(client, "key", LETTER)[0] == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "sm\u00f6rg\u00e5s".encode().decode("latin-1")])
def test_a_key_that_cannot_be_one_is_refused(client: TestClient, key: str) -> None:
    """1 to 255 printable ASCII characters."""
    answer = client.post(
        "/classify-documents-async",
        files=[("files", ("a.txt", LETTER))],
        headers={"Idempotency-Key": key.encode("latin-1")},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_thirty_duplicates_at_once_are_one_job(client: TestClient, inbox: Inbox) -> None:
    """Each is told the same job or to come back; none is told another job."""
    start = threading.Barrier(30)

    def submit(_number: int) -> tuple[int, dict[str, object]]:
        start.wait()
        return post(client, "key", LETTER, BROKEN)

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(submit, range(30)))
    assert {status for status, _ in answers} <= {202, 409}
    jobs = {body["job_id"] for status, body in answers if status == 202}
    assert len(jobs) == 1
    assert len(inbox.list()) == 1


def test_a_dead_receivers_key_is_taken_over(inbox: Inbox, database_url: str) -> None:
    """After its reservation lapsed, under another job id; the late one can no longer submit."""
    late, fresh = uuid4(), uuid4()
    assert inbox.reserve("key", late).job_id == late
    with pytest.raises(SubmissionInFlight):
        inbox.reserve("key", fresh)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update inbox_submissions set reserved_until = now()")
    assert inbox.reserve("key", fresh).job_id == fresh
    upload = Upload(name="a", blob=Blob(key="k"))
    with pytest.raises(IdempotencyConflict):
        inbox.accept(late, [upload], reservation=("key", "0" * 64))
    taken = inbox.accept(fresh, [upload], reservation=("key", "0" * 64))
    assert taken.job.job_id == fresh


def test_failed_files_are_tried_again(inbox: Inbox, send: Send) -> None:
    """Finished files keep their results; the others begin a new chain of attempts."""
    job_id = send(LETTER, BROKEN)
    assert inbox.work() == JobStatus.COMPLETED
    before = inbox.get(job_id).result
    assert before is not None
    assert before.failed == 1
    inbox.blobs.delete_job(job_id)
    with inbox.blobs.create(blob_key(job_id, 2)) as writer:
        writer.write(BROKEN)
        writer.commit()
    again = inbox.retry(job_id)
    assert (again.status, again.processed_files, again.progress) == (JobStatus.PENDING, 1, 50)
    assert inbox.work() == JobStatus.COMPLETED
    after = inbox.get(job_id).result
    assert after is not None
    assert after.results[0] == before.results[0]
    assert after.results[1].error_code == "corrupt_file"
    assert inbox.get(job_id).attempt == 2


def test_a_cancelled_job_can_be_tried_again(inbox: Inbox, send: Send) -> None:
    """Its files are pending once more, and the cancel is forgotten."""
    job_id = send(LETTER)
    inbox.cancel(job_id)
    assert not inbox.retry(job_id).cancel_requested
    assert inbox.work() == JobStatus.COMPLETED


def test_a_whole_job_has_nothing_to_try_again(inbox: Inbox, send: Send) -> None:
    """It stays completed, and so does one that is not over stay as it is."""
    job_id = send(LETTER)
    assert inbox.retry(job_id).status == JobStatus.PENDING
    inbox.work()
    assert inbox.retry(job_id).status == JobStatus.COMPLETED
    with pytest.raises(JobNotFound):
        inbox.retry(uuid4())


def test_a_job_that_is_over_can_be_forgotten(
    client: TestClient, inbox: Inbox, send: Send, database_url: str
) -> None:
    """Rows, attempts and bytes are gone; one that is not over is refused."""
    job_id = send(LETTER)
    with pytest.raises(JobNotOver):
        inbox.delete(job_id)
    assert client.delete(f"/job/{job_id}").status_code == 409
    inbox.work()
    assert client.delete(f"/job/{job_id}").json()["job_id"] == str(job_id)
    assert client.get(f"/job/{job_id}").status_code == 404
    assert client.delete(f"/job/{job_id}").status_code == 404
    assert list(inbox.blobs.jobs(-60)) == []
    with psycopg.connect(database_url) as connection:
        for table in ("inbox_jobs", "inbox_files", "inbox_attempts"):
            assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_a_sweep_removes_what_no_job_has(inbox: Inbox, send: Send) -> None:
    """Orphans that are old; not a job's files, nor those of a submission under way."""
    kept, under_way, orphan, young = send(LETTER), uuid4(), uuid4(), uuid4()
    inbox.reserve("key", under_way)
    for job_id in (under_way, orphan, young):
        with inbox.blobs.create(blob_key(job_id, 1)) as writer:
            writer.write(LETTER)
            writer.commit()
    two_hours_ago = time.time() - 7200
    for job_id in (kept, under_way, orphan):
        folder = inbox.settings.blobs_folder / str(job_id)
        for path in (folder / "1", folder):
            os.utime(path, (two_hours_ago, two_hours_ago))
    assert inbox.sweep() == 1
    assert set(inbox.blobs.jobs(-60)) == {kept, under_way, young}


def test_a_client_with_many_jobs_does_not_starve_the_others(inbox: Inbox, send: Send) -> None:
    """Each client's first job before any client's second, those at work counting as turns."""
    many = [send(LETTER, client_id="many") for _ in range(6)]
    few = send(LETTER, client_id="few")
    waiting = [pending.job_id for pending in inbox.pending()]
    assert waiting == [many[0], few, many[1], many[2]]
    for _ in range(2):
        assert inbox.claim(many.pop(0)) is not None
    assert [pending.job_id for pending in inbox.pending()] == [few, many[0]]
    lease = inbox.claim()
    assert lease is not None
    assert lease.job_id == few


def test_stuck_jobs_say_why(inbox: Inbox, send: Send, database_url: str) -> None:
    """Waiting for a worker, for a pause to end, for a lease to be reaped: each with a next step."""
    waiting, paused, lapsed, fine = (send(LETTER) for _ in range(4))
    lease = inbox.claim(paused)
    assert lease is not None
    inbox.store.release(paused, lease.token, charged=True)
    inbox.claim(lapsed)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table inbox_jobs disable trigger all")
        connection.execute(
            "update inbox_jobs set available_at = now() - interval '1 hour' where id = %s",
            (waiting,),
        )
        connection.execute(
            "update inbox_jobs set lease_expires_at = now() - interval '1 s' where id = %s",
            (lapsed,),
        )
        connection.execute(
            "update inbox_jobs set available_at = now() + interval '60 s' where id = %s", (paused,)
        )
    found = {stuck.job_id: stuck for stuck in inbox.store.stuck(10)}
    assert {job_id: stuck.why for job_id, stuck in found.items()} == {
        waiting: "waiting_for_worker",
        paused: "waiting_for_backoff",
        lapsed: "lease_lapsed",
    }
    assert fine not in found
    assert all(stuck.next_step for stuck in found.values())
    for job_id, stuck in found.items():
        assert inbox.get(job_id).stuck == Problem(code=stuck.why, message=stuck.next_step)
    assert inbox.get(fine).stuck is None
