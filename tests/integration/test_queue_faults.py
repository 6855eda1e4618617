"""What the queue promises when the way to a Supabase project fails."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import psycopg
import pytest
from local_gateway import Answer
from local_project import PUBLISHABLE_KEY, SECRET_KEY, LocalProject, token

from inbox.errors import (
    ConfigurationError,
    InboxError,
    LeaseLost,
    MigrationsMissing,
    StoreUnavailable,
)
from inbox.model import (
    Blob,
    Classification,
    Document,
    Heartbeat,
    JobStatus,
    Order,
    Page,
    PageSource,
    Pending,
    Problem,
    Upload,
)
from inbox.project import KeyKind, Project, open_project
from inbox.store.store import Store
from inbox.store.supabase import SupabaseTransport

DOCUMENT = Document(
    media_type="text/plain", pages=(Page(number=1, text="x", source=PageSource.NATIVE),)
)
FOUND = Classification(label="invoice", confidence=0.9, classifier="test")
BROKEN = Problem(code="corrupt_file", message="The file is broken.")


@pytest.fixture
def store(project: LocalProject) -> Iterator[Store]:
    """The verbs, patient as a worker is."""
    transport = SupabaseTransport(open_project(project.settings()), 8)
    with Store(transport, lease_seconds=30, patience=30) as opened:
        yield opened


@pytest.fixture
def hasty(project: LocalProject) -> Iterator[Store]:
    """The verbs, without patience."""
    transport = SupabaseTransport(open_project(project.settings()), 1)
    with Store(transport, lease_seconds=30, patience=0) as opened:
        yield opened


def submit(store: Store, files: int = 1) -> UUID:
    """Submit a job of some files."""
    job_id = uuid4()
    uploads = [Upload(name=f"{n}", blob=Blob(key=f"{job_id}/{n}")) for n in range(files)]
    store.submit(job_id, Order(uploads=tuple(uploads)))
    return job_id


def do(store: Store, job_id: UUID, owner: str) -> None:
    """Do a job from claim to finish; nothing where another holds it."""
    lease = store.claim(job_id, owner)
    if lease is None:
        return
    for file in lease.files:
        store.start(lease, file)
        store.record(lease, file, DOCUMENT, FOUND)
    store.finish(job_id, lease.token)


def count(url: str, query: str) -> dict[str, int]:
    """Rows of (key, count)."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute(query.encode()).fetchall())


def test_no_verb_is_harmed_by_a_lost_answer(project: LocalProject, store: Store) -> None:
    """The answer of every verb is lost once after the work was done; it is asked again."""

    def lossy(verb: Callable[[], object]) -> object:
        project.gateway.faults.drop_next = 1
        before = project.gateway.dropped
        answer = verb()
        assert project.gateway.dropped == before + 1
        return answer

    job_id = uuid4()
    uploads = [Upload(name=f"{n}", blob=Blob(key=f"{n}")) for n in range(2)]
    lossy(lambda: store.submit(job_id, Order(uploads=tuple(uploads))))
    assert lossy(lambda: store.redispatch(Pending(job_id=job_id, dispatch=1))) is False
    assert lossy(lambda: store.pending(9)) == ()  # redispatched once, so it waits
    run = uuid4()
    lossy(lambda: store.claim(job_id, "worker", run))
    lease = store.claim(job_id, "worker", run)
    assert lease is not None
    assert lease.attempt == 1
    assert lossy(lambda: store.token_of_run(job_id, run)) == lease.token
    assert lossy(lambda: store.heartbeat(lease)) == Heartbeat.OK
    lossy(lambda: store.start(lease, lease.files[0]))
    lossy(lambda: store.record(lease, lease.files[0], DOCUMENT, FOUND))
    assert lossy(lambda: store.release(job_id, lease.token)) == JobStatus.PENDING
    again = store.claim(job_id, "again")
    assert again is not None
    assert [file.number for file in again.files] == [2]
    store.start(again, again.files[0])
    lossy(lambda: store.record_failure(again, again.files[0], BROKEN))
    assert lossy(lambda: store.finish(job_id, again.token)) == JobStatus.COMPLETED
    assert lossy(lambda: store.cancel(job_id)) == store.get(job_id)
    assert lossy(store.reap) == 0
    assert store.get(job_id).processed_files == 2
    assert len(store.list(None, None, None, 9)) == 1


def test_a_lossy_gateway_loses_and_doubles_nothing(
    project: LocalProject, store: Store, project_url: str
) -> None:
    """One answer in twenty is lost after the work was done, under eight workers at once."""
    project.gateway.faults.drop_share = 0.05
    jobs = [submit(store, files=3) for _ in range(40)]
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for job_id in jobs:
            do(store, job_id, f"worker-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert project.gateway.dropped >= 10
    assert count(project_url, "select status, count(*) from inbox_jobs group by 1") == {
        "completed": 40
    }
    assert count(project_url, "select status, count(*) from inbox_files group by 1") == {
        "completed": 120
    }
    assert count(project_url, "select outcome, count(*) from inbox_attempts group by 1") == {
        "completed": 40
    }


def test_eight_claimers_through_http_share_the_jobs(project: LocalProject, store: Store) -> None:
    """Each job is claimed by exactly one, each with connections of its own."""
    jobs = {submit(store) for _ in range(24)}
    start = threading.Barrier(8)

    def claim_all(number: int) -> list[UUID]:
        mine = []
        with Store(SupabaseTransport(open_project(project.settings()), 1), 30, 5) as own:
            start.wait()
            while lease := own.claim(None, f"claimer-{number}-{len(mine)}"):
                mine.append(lease.job_id)
        return mine

    with ThreadPoolExecutor(8) as pool:
        claims = Counter(job for mine in pool.map(claim_all, range(8)) for job in mine)
    assert set(claims) == jobs
    assert set(claims.values()) == {1}


def test_work_goes_on_when_the_store_comes_back(project: LocalProject, store: Store) -> None:
    """The store is away in the middle of a job; the worker waits for it, nothing is redone."""
    job_id = submit(store, files=2)
    lease = store.claim(job_id, "worker")
    assert lease is not None
    store.start(lease, lease.files[0])
    store.record(lease, lease.files[0], DOCUMENT, FOUND)
    project.gateway.faults.away = True
    back = threading.Timer(2, lambda: setattr(project.gateway.faults, "away", False))
    back.start()
    began = time.monotonic()
    store.start(lease, lease.files[1])
    assert time.monotonic() - began > 1
    back.join()
    store.record(lease, lease.files[1], DOCUMENT, FOUND)
    assert store.finish(job_id, lease.token) == JobStatus.COMPLETED
    assert store.get(job_id).attempt == 1


def test_a_late_answer_does_not_let_a_late_worker_write(
    project: LocalProject, store: Store, project_url: str
) -> None:
    """A write that hangs in the gateway until its lease is over is refused when it arrives."""
    job_id = submit(store, files=1)
    late = store.claim(job_id, "late")
    assert late is not None
    store.start(late, late.files[0])
    project.gateway.faults.only = "inbox_record_file"
    project.gateway.faults.delay_seconds = 1
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store.record, late, late.files[0], DOCUMENT, FOUND)
        with psycopg.connect(project_url, autocommit=True) as connection:
            connection.execute("set inbox.clock_offset = '31 seconds'")
            connection.execute("select inbox_reap_jobs()")
        fresh = store.claim(job_id, "fresh")
        assert fresh is not None
        with pytest.raises(LeaseLost):
            writing.result()
    assert store.get(job_id).processed_files == 0


def test_an_answer_that_does_not_come_is_unavailable(
    project: LocalProject, hasty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits longer than the time allowed for reading."""
    monkeypatch.setattr("inbox.store.supabase.READ_SECONDS", 0.2)
    project.gateway.faults.delay_seconds = 3
    transport = SupabaseTransport(open_project(project.settings()), 1)
    with Store(transport, 30, 0) as store, pytest.raises(StoreUnavailable, match="ReadTimeout"):
        store.get(uuid4())


def _json(status: int, **fields: object) -> Answer:
    return Answer.of(status, {"code": None, "message": "m", "details": None, "hint": None} | fields)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (_json(500, code="57014"), StoreUnavailable, "57014"),
        (_json(503, code="PGRST000"), StoreUnavailable, "database does not answer"),
        (_json(503, code="PGRST001"), StoreUnavailable, "database does not answer"),
        (_json(503, code="PGRST002"), StoreUnavailable, "database does not answer"),
        (_json(504, code="PGRST003"), StoreUnavailable, "database does not answer"),
        (_json(500, code="53300"), StoreUnavailable, "53300"),
        (_json(409, code="40001"), StoreUnavailable, "40001"),
        (_json(429, code="over_request_rate_limit"), StoreUnavailable, "429"),
        (Answer(502, b"<html>", {"content-type": "text/html"}), StoreUnavailable, "502"),
        (Answer(540, b"", {}), StoreUnavailable, "paused"),
        (Answer(200, b"<html>", {"content-type": "text/html"}), StoreUnavailable, "SUPABASE_URL"),
        (
            Answer(200, b'{"a": ', {"content-type": "application/json"}, announced=99),
            StoreUnavailable,
            "RemoteProtocolError",
        ),
        (_json(404, code="42883"), MigrationsMissing, "inbox migrate"),
        (_json(404, code="PGRST202"), MigrationsMissing, "inbox migrate"),
        (_json(404, code="42P01"), MigrationsMissing, "inbox migrate"),
        (_json(404, code="PGRST205"), MigrationsMissing, "inbox migrate"),
        (_json(401, code="PGRST301"), ConfigurationError, "SUPABASE_SECRET_KEY"),
        (_json(401, code="PGRST303"), ConfigurationError, "SUPABASE_SECRET_KEY"),
        (_json(401, message="Invalid API key"), ConfigurationError, "SUPABASE_SECRET_KEY"),
        (_json(403, code="42501"), ConfigurationError, "SUPABASE_SECRET_KEY"),
        (Answer(404, b"nothing here", {}), ConfigurationError, "SUPABASE_URL"),
        (Answer(301, b"", {"location": "/"}), ConfigurationError, "SUPABASE_URL"),
    ],
)
def test_every_answer_has_its_error(
    project: LocalProject, hasty: Store, answer: Answer, error: type[InboxError], words: str
) -> None:
    """Hosted projects and older servers use different codes; each says what to do."""
    project.gateway.faults.answer = answer
    with pytest.raises(error, match=words) as caught:
        hasty.get(uuid4())
    assert type(caught.value) is error
    assert SECRET_KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("sb_secret_nobodys", KeyKind.SECRET),
        (token("service_role", exp=9_999_999_999) + "x", KeyKind.SERVICE_ROLE),
    ],
)
def test_a_key_of_another_project_is_named(project: LocalProject, key: str, kind: KeyKind) -> None:
    """The sentence says which variable to correct."""
    wrong = SupabaseTransport(Project(url=project.url, key=key, kind=kind), 1)
    with (
        Store(wrong, 30, 0) as store,
        pytest.raises(ConfigurationError, match="SUPABASE_SECRET_KEY"),
    ):
        store.get(uuid4())


def test_a_browser_key_cannot_call_the_queue(project: LocalProject) -> None:
    """Even where it is passed off as a secret one, the database refuses its role."""
    wrong = Project(url=project.url, key=PUBLISHABLE_KEY, kind=KeyKind.SECRET)
    with Store(SupabaseTransport(wrong, 1), 30, 0) as store, pytest.raises(ConfigurationError):
        store.get(uuid4())


def test_a_paused_project_is_named_when_its_address_is_gone() -> None:
    """A hosted project that is paused loses its address."""
    gone = Project(url="https://x.supabase.co", key="sb_secret_x", kind=KeyKind.SECRET)
    transport = SupabaseTransport(gone, 1)

    def nowhere(*_: object) -> None:
        import httpx

        raise httpx.ConnectError("[Errno -2] Name or service not known")

    transport._http.event_hooks = {"request": [nowhere], "response": []}
    with Store(transport, 30, 0) as store, pytest.raises(StoreUnavailable, match="paused"):
        store.get(uuid4())
