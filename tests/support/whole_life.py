"""Every verb of a store once, as the API, dispatch and workers come to use it."""

from __future__ import annotations

from uuid import UUID, uuid4

from inbox.interface import ApiKey, JobFilter, Outcome, Scope, Verdict
from inbox.model import (
    Blob,
    Child,
    Classification,
    Document,
    Evidence,
    Heartbeat,
    JobOptions,
    JobStatus,
    Label,
    Lease,
    Order,
    Page,
    PageSource,
    Problem,
    Upload,
)
from inbox.store.store import Store

PAGE = Page(number=1, text="Invoice 7", source=PageSource.OCR, confidence=0.9)
DOCUMENT = Document(media_type="application/pdf", pages=(PAGE,))
FOUND = Classification(
    label="invoice",
    confidence=0.9,
    evidence=(Evidence(quote="Invoice 7", page=1),),
    classifier="test",
)
BROKEN = Problem(code="corrupt_file", message="The file is broken.")
SHA256 = "1" * 64
ME = "local"


def whole_life(store: Store) -> None:
    """Do everything that can be done with jobs, from a submission to a receipt.

    Raises:
        AssertionError: an answer is not what it should be.
    """
    webhook_id = uuid4()
    store.create_webhook(webhook_id, ME, "https://example.com/hook", "s" * 32, ["job.completed"])
    assert not store.settle_call(uuid4(), (0, 0, 0), None, None, 0)
    job_id = _submitted(store)
    _dispatched(store, job_id)
    _worked_on(store, job_id)
    _read(store, job_id)
    _corrected(store, job_id)
    _handed_back(store)
    _told(store, webhook_id)
    _administered(store)
    store.retry(job_id, ME)
    store.cancel(job_id, ME)
    assert store.delete(job_id, ME)
    assert store.known([job_id]) == set()
    assert store.purge_pages(0) == 1


def submit(store: Store, files: int) -> UUID:
    """Queue a job, beside the API."""
    job_id = uuid4()
    uploads = tuple(
        Upload(name=f"{n}.pdf", blob=Blob(key=f"{job_id}/{n}", sha256=SHA256, size=9))
        for n in range(files)
    )
    labels = (Label(name="invoice", cues=("invoice",)), Label(name="other"))
    order = Order(uploads=uploads, labels=labels, options=JobOptions(languages="eng"))
    assert store.submit(job_id, order).total_files == files
    return job_id


def claimed(store: Store, job_id: UUID) -> Lease:
    """Claim a job that waits."""
    lease = store.claim(job_id, "me")
    assert lease is not None
    return lease


def _submitted(store: Store) -> UUID:
    job_id, dropped = uuid4(), uuid4()
    store.reserve(ME, "dropped", dropped, 60)
    store.abandon(ME, "dropped", dropped)
    store.reserve(ME, "key", job_id, 60)
    uploads = tuple(
        Upload(name=f"{n}.pdf", blob=Blob(key=f"{job_id}/{n}", sha256=SHA256, size=9))
        for n in range(3)
    )
    taken = store.accept(job_id, Order(uploads=uploads), ("key", SHA256))
    assert (taken.job.job_id, taken.job.total_files) == (job_id, 3)
    assert store.reserve(ME, "key", uuid4(), 60).job_id == job_id
    return job_id


def _dispatched(store: Store, job_id: UUID) -> None:
    (pending,) = store.pending(4)
    assert pending.job_id == job_id
    assert store.redispatch(pending)
    assert store.reap() == 0


def _worked_on(store: Store, job_id: UUID) -> None:
    run = uuid4()
    lease = store.claim(job_id, "me", run)
    assert lease is not None
    assert store.token_of_run(job_id, run) == lease.token
    assert store.heartbeat(lease) == Heartbeat.OK
    first, second, third = lease.files
    store.start(lease, first)
    child = Child(name="inner.pdf", blob=Blob(key=f"{job_id}/inner", sha256=SHA256, size=1))
    store.add_children(lease, first, [child], max_files=9, max_bytes=99)
    store.progress(lease, first, 1, 2, 0)
    store.keep_pages(lease, first, SHA256, "recipe", [PAGE], whole=True)
    assert tuple(store.kept_pages(ME, SHA256, "recipe")) == (PAGE,)
    call = uuid4()
    assert store.reserve_call(lease, first, call, "m", 0.1, budgets=(1.0, 1.0)) == "ok"
    assert store.settle_call(call, (5, 0, 1), 0.01, (SHA256, "{}"), 60)
    assert store.recall_answer(ME, SHA256) == "{}"
    store.record(lease, first, DOCUMENT, FOUND)
    store.record_failure(lease, second, BROKEN)
    (inner,) = store.open_files(lease, third.number)
    for file in (third, inner):
        store.start(lease, file)
        store.record(lease, file, DOCUMENT, FOUND)
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED


def _read(store: Store, job_id: UUID) -> None:
    job = store.get(job_id, ME)
    assert (job.status, job.progress, job.processed_files) == (JobStatus.COMPLETED, 100, 4)
    assert job.result is not None
    assert (job.result.successful, job.result.failed) == (3, 1)
    assert job.result.results[0].evidence == FOUND.evidence
    assert [line.job_id for line in store.list(ME, None, None, 9)] == [job_id]
    assert [line.job_id for line in store.find(ME, JobFilter(label="invoice"), None, 9)] == [job_id]
    last = store.watch(job_id, ME).event
    assert store.watch(job_id, ME, last).job is None
    assert store.last_events([job_id]) == {job_id: last}
    assert store.events(job_id, ME).events[-1].sequence == last
    assert store.source(job_id, job.result.results[0].file_id, ME).recipe == "recipe"
    metrics = store.metrics(300)
    assert (metrics.finished_files, metrics.cost) == (3, 0.01)
    assert metrics.errors == {"corrupt_file": 1}
    assert store.stuck(9) == ()


def _corrected(store: Store, job_id: UUID) -> None:
    job = store.get(job_id)
    assert job.result is not None
    file_id = job.result.results[0].file_id
    store.correct(job_id, file_id, "contract", "ann", ME)
    assert [each.label for each in store.corrections(job_id, ME)] == ["contract"]
    assert store.keep_excerpt(file_id, "Invoice 7")
    (corrected,) = store.corrected_files(ME, 9)
    assert corrected.excerpt == "Invoice 7"
    store.put_label_set(ME, "mine", [Label(name="red", description="is red"), Label(name="blue")])
    assert store.label_set(ME, "mine") == store.label_sets(ME)[0]
    assert store.delete_label_set(ME, "mine")


def _handed_back(store: Store) -> None:
    job_id = submit(store, files=1)
    lease = claimed(store, job_id)
    assert lease.labels is not None
    assert lease.options.languages == "eng"
    assert store.release(job_id, lease.token) == JobStatus.PENDING
    lease = claimed(store, job_id)
    assert store.may_postpone(job_id, 60)
    assert store.postpone(lease, 60) == JobStatus.PENDING
    assert store.cancel(job_id).status == JobStatus.CANCELLED
    assert store.expired(0, 9)


def _told(store: Store, webhook_id: UUID) -> None:
    assert [each.id for each in store.webhooks(ME)] == [webhook_id]
    test = store.test_webhook(webhook_id, ME, uuid4())
    sent = {each.id: each for each in store.claim_messages(9, 30, 3)}
    assert len(sent) == 2  # of the job, and of the test
    for each in sent.values():
        delivered = Outcome(verdict=Verdict.DELIVERED, seconds=0.1, status=200)
        assert store.settle_message(each, delivered, 5, 3) == "delivered"
    store.replay_message(test.id, ME)
    assert {each.id for each in store.webhook_log(webhook_id, ME, 9)} == set(sent)
    assert store.enable_webhook(webhook_id, ME).disabled_at is None
    store.delete_webhook(webhook_id, ME)


def _administered(store: Store) -> None:
    key = ApiKey(
        id=uuid4(),
        name="me",
        client_id=ME,
        hint="ibx_",
        scopes=(Scope.READ,),
        per_minute=60,
        created_at=store.get(submit(store, files=1)).created_at,
    )
    store.create_key(key, SHA256)
    assert store.check_key(SHA256).key is not None
    assert [each.id for each in store.api_keys()] == [key.id]
    assert store.revoke_key(key.id).revoked_at is not None
    assert store.health().migrations
    store.forget_old(0)
