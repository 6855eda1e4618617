"""Waiting for a job: ETags, long polls and events, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from api_server import client_of, running, until

from inbox.errors import JobNotFound
from inbox.model import Blob, JobStatus, Lease, Order, Problem, Upload
from inbox.service import Inbox
from inbox.settings import Settings

BROKEN = Problem(code="corrupt_file", message="The file is broken.")
GIVE_UP = 60


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the API."""
    with running(settings) as server, client_of(server) as opened:
        yield opened


def submit(inbox: Inbox, files: int = 1, client_id: str = "local") -> UUID:
    """Queue a job whose bytes nobody will read."""
    job_id = uuid4()
    uploads = tuple(Upload(name=f"{n}", blob=Blob(key=f"{job_id}/{n}")) for n in range(files))
    inbox.store.submit(job_id, Order(uploads=uploads, client_id=client_id))
    return job_id


def claimed(inbox: Inbox, job_id: UUID) -> Lease:
    """Claim the job."""
    lease = inbox.store.claim(job_id, f"test/{job_id}")
    assert lease is not None
    return lease


def fail_all(inbox: Inbox, lease: Lease) -> None:
    """Do every file, badly, and close the job."""
    for file in lease.files:
        inbox.store.start(lease, file)
        inbox.store.record_failure(lease, file, BROKEN)
    assert inbox.store.finish(lease.job_id, lease.token) == JobStatus.FAILED


def read_events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream, one by one."""
    event: dict[str, Any] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name in {"id", "event", "data"}:
            event[name] = json.loads(value) if name == "data" else value
        elif not line and event:
            yield event
            event = {}


def test_an_etag_saves_the_answer(client: httpx.Client, inbox: Inbox) -> None:
    """304 while nothing has happened; once something has, the job and another ETag."""
    job_id = submit(inbox)
    first = client.get(f"/job/{job_id}")
    tag = {"If-None-Match": first.headers["etag"]}
    again = client.get(f"/job/{job_id}", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    fail_all(inbox, claimed(inbox, job_id))
    after = client.get(f"/job/{job_id}", headers=tag)
    assert (after.status_code, after.json()["status"]) == (200, "failed")
    assert after.headers["etag"] != first.headers["etag"]


def test_a_wait_ends_with_the_job(client: httpx.Client, inbox: Inbox) -> None:
    """The answer comes as soon as the job is over, not when the time is."""
    job_id = submit(inbox)
    answers: list[httpx.Response] = []
    waiting = threading.Thread(
        target=lambda: answers.append(client.get(f"/job/{job_id}", params={"wait": 60}, timeout=90))
    )
    began = time.monotonic()
    waiting.start()
    fail_all(inbox, claimed(inbox, job_id))
    waiting.join(GIVE_UP)
    assert answers[0].json()["status"] == "failed"
    assert time.monotonic() - began < GIVE_UP


def test_a_wait_with_an_etag_ends_with_any_change(client: httpx.Client, inbox: Inbox) -> None:
    """Whoever knows the state is told of the next one; 304 if the time is over first."""
    job_id = submit(inbox)
    tag = {"If-None-Match": client.get(f"/job/{job_id}").headers["etag"]}
    unchanged = client.get(f"/job/{job_id}", params={"wait": 0.2}, headers=tag)
    assert unchanged.status_code == 304
    claimed(inbox, job_id)
    changed = client.get(f"/job/{job_id}", params={"wait": 60}, headers=tag, timeout=90)
    assert changed.json()["status"] == "processing"


def test_a_wait_that_is_over_shows_what_is(client: httpx.Client, inbox: Inbox) -> None:
    """Without an ETag the job is shown as it is then; a wait that is too long is refused."""
    job_id = submit(inbox)
    answer = client.get(f"/job/{job_id}", params={"wait": 0.2})
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert client.get(f"/job/{job_id}", params={"wait": 61}).status_code == 422


def test_many_waits_are_one_connection(settings: Settings, inbox: Inbox) -> None:
    """Forty wait at once, and the database sees no more connections than before."""
    with running(settings) as server, client_of(server) as client:
        job_id = submit(inbox)
        answers: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: answers.append(
                    client.get(f"/job/{job_id}", params={"wait": 60}, timeout=90).status_code
                )
            )
            for _ in range(40)
        ]
        for thread in threads:
            thread.start()
        lookout = server.config.app.state.lookout  # type: ignore[union-attr]
        until(lambda: lookout.waiters == 40)
        assert settings.database_url is not None
        with psycopg.connect(settings.database_url.get_secret_value()) as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity where state = 'active'"
                " and application_name = 'document-inbox'"
            ).fetchone()
        assert row is not None
        assert row[0] <= 2
        fail_all(inbox, claimed(inbox, job_id))
        for thread in threads:
            thread.join(GIVE_UP)
        assert answers == [200] * 40


def test_every_event_comes_once_though_the_connection_is_cut(
    client: httpx.Client, inbox: Inbox
) -> None:
    """Twenty cuts during a job of forty files: the union is every event, once, in order."""
    job_id = submit(inbox, files=40)
    working = threading.Thread(target=lambda: fail_all(inbox, claimed(inbox, job_id)))
    received: list[dict[str, Any]] = []
    cuts = 0
    working.start()
    while True:
        last = {"Last-Event-ID": received[-1]["id"]} if received else {}
        with client.stream("GET", f"/job/{job_id}/events", headers=last, timeout=60) as answer:
            if answer.status_code == 204:
                break
            assert answer.headers["content-type"].startswith("text/event-stream")
            for number, event in enumerate(read_events(answer)):
                received.append(event)
                if cuts < 20 and number == 3:
                    cuts += 1
                    break  # closes the connection with events under way
    working.join(GIVE_UP)
    assert cuts == 20
    assert [int(event["id"]) for event in received] == list(range(1, len(received) + 1))
    files = [e["data"] for e in received if e["event"] == "file"]
    for number in range(1, 41):
        seen = [each["status"] for each in files if each["number"] == number]
        assert seen == ["processing", "failed"]
    jobs = [e["data"] for e in received if e["event"] == "job"]
    assert [each["status"] for each in (jobs[0], jobs[-1])] == ["pending", "failed"]
    assert [each["processed_files"] for each in jobs] == sorted(e["processed_files"] for e in jobs)
    with pytest.raises(JobNotFound):
        inbox.events(job_id, client_id="somebody else")


def test_pages_are_told_in_steps(client: httpx.Client, inbox: Inbox, settings: Settings) -> None:
    """Of a document of a thousand pages twenty steps are told; nothing of one that stands still."""
    job_id = submit(inbox)
    lease = claimed(inbox, job_id)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        for done in range(1001):
            connection.execute(
                "update inbox_files set pages_done = %s, pages_total = 1000 where job_id = %s",
                (done, job_id),
            )
    fail_all(inbox, lease)
    with client.stream("GET", f"/job/{job_id}/events") as answer:
        pages = [e["data"]["pages_done"] for e in read_events(answer) if e["event"] == "pages"]
    assert pages == [0, *range(50, 1001, 50)]


def test_streams_of_no_job_are_refused(client: httpx.Client, inbox: Inbox) -> None:
    """404 without a job, 422 with an id that cannot be one; a deleted job ends its stream."""
    assert client.get(f"/job/{uuid4()}/events").status_code == 404
    job_id = submit(inbox)
    for wrong in ("x", "-1", "99999999999999999999"):
        answer = client.get(f"/job/{job_id}/events", headers={"Last-Event-ID": wrong})
        assert answer.status_code == 422, wrong
    with client.stream("GET", f"/job/{job_id}/events", timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        inbox.cancel(job_id)
        inbox.delete(job_id)
        assert [line for line in lines if "completed" in line] == []  # it ends, and soon


def test_events_go_with_their_job(inbox: Inbox, settings: Settings) -> None:
    """Nothing is left of a job that was deleted."""
    job_id = submit(inbox)
    inbox.cancel(job_id)
    assert inbox.events(job_id).last > 0
    inbox.delete(job_id)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        assert connection.execute("select count(*) from inbox_events").fetchone() == (0,)


def test_numbers_are_seen_in_order_whoever_writes(inbox: Inbox, settings: Settings) -> None:
    """Progress beside outcomes: a reader that polls never finds a gap behind it."""
    job_id = submit(inbox, files=30)
    lease = claimed(inbox, job_id)
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    done = threading.Event()

    def pages() -> None:
        with psycopg.connect(url) as connection:
            for count in range(200):
                # as every verb does: the job's row first
                connection.execute("select from inbox_jobs where id = %s for update", (job_id,))
                connection.execute(
                    "update inbox_files set pages_done = %s, pages_total = 10"
                    " where job_id = %s and number = 30",
                    (count % 10, job_id),
                )
                connection.commit()

    def work() -> None:
        fail_all(inbox, lease)
        done.set()

    writers = [threading.Thread(target=pages), threading.Thread(target=work)]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    while any(writer.is_alive() for writer in writers) or len(seen) < inbox.events(job_id).last:
        found = inbox.events(job_id, after=seen[-1] if seen else 0)
        seen += [event.sequence for event in found.events]
    assert done.is_set()
    assert seen == list(range(1, len(seen) + 1))
