"""What the verbs of the interface promise, over both transports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from inbox.errors import (
    IdempotencyConflict,
    InvalidRequest,
    JobNotFound,
    KeyNotFound,
    MessageNotFound,
    WebhookNotFound,
)
from inbox.interface import ApiKey, JobFilter, Outcome, Scope, Verdict
from inbox.keys import digest, hint, new_key
from inbox.model import Blob, JobStatus, Label, Order, Problem, Upload
from inbox.project import open_project
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store
from inbox.store.supabase import SupabaseTransport

URL = "https://example.com/hook"
SECRET = "whsec_c2VjcmV0"
EVENTS = ["job.completed", "job.failed", "job.cancelled"]
BROKEN = Problem(code="corrupt_file", message="The file is broken.")


@pytest.fixture(params=["postgres", "supabase"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The verbs, on a database of this test's own."""
    if request.param == "postgres":
        url = request.getfixturevalue("database_url")
        opened = Store(PostgresTransport(url, 4), lease_seconds=30, patience=1)
    else:
        project = open_project(request.getfixturevalue("project").settings())
        opened = Store(SupabaseTransport(project, 4), lease_seconds=30, patience=1)
    with opened:
        yield opened


def order(files: int = 1, client_id: str = "local") -> Order:
    """A submission of files that nobody will read."""
    uploads = tuple(Upload(name=f"{n}", blob=Blob(key=f"{uuid4()}/{n}")) for n in range(files))
    return Order(uploads=uploads, client_id=client_id, labels=(Label(name="a"), Label(name="b")))


def submitted(store: Store, files: int = 1, client_id: str = "local") -> UUID:
    """A job that waits."""
    job_id = uuid4()
    store.submit(job_id, order(files, client_id))
    return job_id


def failed(store: Store, job_id: UUID) -> None:
    """Fail every file of a job and close it."""
    lease = store.claim(job_id, f"test/{job_id}")
    assert lease is not None
    for file in lease.files:
        store.record_failure(lease, file, BROKEN)
    store.finish(job_id, lease.token)


def test_accepting_says_what_waits_before(store: Store) -> None:
    """In one call; the same call again is the same job; a key settles with it."""
    job_id, wanted = uuid4(), order(3)
    assert store.accept(job_id, wanted).files_ahead == 0
    assert store.accept(job_id, wanted).job.job_id == job_id
    second = uuid4()
    store.reserve("local", "key", second, 60)
    taken = store.accept(second, order(), ("key", "0" * 64))
    assert (taken.files_ahead, taken.job.total_files) == (3, 1)
    assert store.reserve("local", "key", uuid4(), 60).job_id == second
    with pytest.raises(IdempotencyConflict):
        store.accept(uuid4(), order(), ("key", "1" * 64))


def test_events_are_numbered(store: Store) -> None:
    """From one, without gaps, each once; after a number only what came later."""
    job_id = submitted(store, files=2)
    failed(store, job_id)
    found = store.events(job_id)
    assert [event.sequence for event in found.events] == list(range(1, found.last + 1))
    assert found.status == JobStatus.FAILED
    assert store.events(job_id, after=3, limit=2).events == found.events[3:5]
    assert store.events(job_id, after=found.last).events == ()
    assert store.last_events([job_id, uuid4()]) == {job_id: found.last}
    with pytest.raises(JobNotFound):
        store.events(job_id, "another client")


def test_watching_spares_what_is_known(store: Store) -> None:
    """The job comes with the number of its last event, and not again for that number."""
    job_id = submitted(store)
    seen = store.watch(job_id)
    assert seen.job is not None
    assert store.watch(job_id, known=seen.event).job is None
    failed(store, job_id)
    again = store.watch(job_id, known=seen.event)
    assert again.job is not None
    assert again.status == again.job.status == JobStatus.FAILED
    for client_id, wanted in (("another client", job_id), (None, uuid4())):
        with pytest.raises(JobNotFound):
            store.watch(wanted, client_id)


def test_filters_narrow_a_list(store: Store) -> None:
    """Each filter by itself, and together; other clients' jobs are never in it."""
    waiting, over, other = (
        submitted(store),
        submitted(store),
        submitted(store, client_id="other"),
    )
    failed(store, over)

    def found(wanted: JobFilter, client_id: str | None = "local") -> list[UUID]:
        return [job.job_id for job in store.find(client_id, wanted, None, 10)]

    assert found(JobFilter()) == [over, waiting]
    assert found(JobFilter(), None) == [other, over, waiting]
    assert found(JobFilter(status=(JobStatus.FAILED,))) == [over]
    assert found(JobFilter(status=(JobStatus.FAILED, JobStatus.PENDING))) == [over, waiting]
    assert found(JobFilter(failed_files=True)) == [over]
    assert found(JobFilter(failed_files=False)) == [waiting]
    assert found(JobFilter(needs_review=True)) == []
    assert found(JobFilter(label="a")) == []
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert found(JobFilter(created_after=soon)) == []
    assert found(JobFilter(created_before=soon, failed_files=True)) == [over]
    first = store.find("local", JobFilter(), None, 1)[0]
    below = store.find("local", JobFilter(), (first.created_at, first.job_id), 10)
    assert [job.job_id for job in below] == [waiting]


def test_keys_are_found_by_their_digest(store: Store) -> None:
    """While they are good; that there was one stays known."""
    assert not store.check_key(None).configured
    text = new_key()
    made = store.create_key(
        ApiKey(
            id=uuid4(),
            name="n",
            client_id="c",
            hint=hint(text),
            scopes=(Scope.READ, Scope.SUBMIT),
            per_minute=60,
            created_at=datetime.now(UTC),
        ),
        digest(text),
    )
    found = store.check_key(digest(text))
    assert found.key is not None
    assert (found.key.id, found.key.scopes) == (made.id, (Scope.READ, Scope.SUBMIT))
    assert store.check_key(digest("another")).key is None
    assert store.revoke_key(made.id).revoked_at is not None
    assert store.revoke_key(made.id).id == made.id
    gone = store.check_key(digest(text))
    assert (gone.key, gone.configured) == (None, True)
    assert [key.id for key in store.api_keys()] == [made.id]
    with pytest.raises(KeyNotFound):
        store.revoke_key(uuid4())


def test_a_message_goes_from_the_outbox_to_the_log(store: Store) -> None:
    """Claimed once, settled once; retried when that is said; given up at the cap; replayed."""
    webhook = store.create_webhook(uuid4(), "local", URL, SECRET, EVENTS)
    job_id = submitted(store)
    assert store.claim_messages(5, 60, 3) == ()
    store.cancel(job_id)
    (first,) = store.claim_messages(5, 60, 3)
    assert (first.url, first.secret, first.payload["type"]) == (URL, SECRET, "job.cancelled")
    assert store.claim_messages(5, 60, 3) == ()
    again = Outcome(verdict=Verdict.RETRY, seconds=0.1, status=500, error_code="refused")
    assert store.settle_message(first, again, 0, 3) == "pending"
    assert store.settle_message(first, again, 0, 3) == "pending"
    (second,) = store.claim_messages(5, 60, 3)
    assert store.settle_message(first, again, 0, 3) is None
    assert store.settle_message(second, again, 0, 3) == "pending"
    (third,) = store.claim_messages(5, 60, 3)
    assert store.settle_message(third, again, 0, 3) == "failed"
    assert store.claim_messages(5, 60, 3) == ()
    assert store.replay_message(first.id, "local").state == "pending"
    (fourth,) = store.claim_messages(5, 60, 3)
    good = Outcome(verdict=Verdict.DELIVERED, seconds=0.1, status=200)
    assert store.settle_message(fourth, good, 0, 3) == "delivered"
    (message,) = store.webhook_log(webhook.id, "local", 10)
    assert [(each.replay, each.attempt) for each in message.attempts] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 1),
    ]


def test_a_webhook_has_an_owner_and_an_end(store: Store) -> None:
    """Others cannot see or touch it; 410 disables it; deleting it takes its messages along."""
    webhook = store.create_webhook(uuid4(), "me", URL, SECRET, EVENTS)
    assert [each.id for each in store.webhooks("me")] == [webhook.id]
    assert store.webhooks("you") == ()
    message = store.test_webhook(webhook.id, "me", uuid4())
    (claimed,) = store.claim_messages(5, 60, 3)
    assert claimed.id == message.id
    gone = Outcome(verdict=Verdict.GONE, seconds=0.1, status=410)
    assert store.settle_message(claimed, gone, 0, 3) == "failed"
    assert store.webhooks("me")[0].disabled_reason == "gone"
    assert store.enable_webhook(webhook.id, "me").disabled_at is None
    for refused in (
        lambda: store.enable_webhook(webhook.id, "you"),
        lambda: store.test_webhook(webhook.id, "you", uuid4()),
        lambda: store.webhook_log(webhook.id, "you", 5),
        lambda: store.delete_webhook(webhook.id, "you"),
    ):
        with pytest.raises(WebhookNotFound):
            refused()
    with pytest.raises(MessageNotFound):
        store.replay_message(message.id, "you")
    store.delete_webhook(webhook.id, "me")
    with pytest.raises(MessageNotFound):
        store.replay_message(message.id, "me")
    for _ in range(20):
        store.create_webhook(uuid4(), "me", URL, SECRET, EVENTS)
    with pytest.raises(InvalidRequest):
        store.create_webhook(uuid4(), "me", URL, SECRET, EVENTS)


def test_how_it_goes_is_counted(store: Store) -> None:
    """What waits now, and what failed lately by code; what is over long enough has expired."""
    submitted(store, files=3)
    over = submitted(store, files=2)
    failed(store, over)
    found = store.metrics(300)
    assert (found.pending_jobs, found.pending_files, found.processing_jobs) == (1, 3, 0)
    assert found.errors == {"corrupt_file": 2}
    assert found.oldest_pending_seconds > 0
    assert store.expired(3600, 10) == ()
    assert store.expired(0, 10) == (over,)
    assert store.forget_old(3600) == 0
