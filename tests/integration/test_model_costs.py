"""Budgets, kept answers and jobs that wait for a model: in the rows, whoever calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from uuid import UUID, uuid4

import psycopg
import pytest
from openai_server import ScriptedServer, Step

from inbox.blobs import blob_key
from inbox.errors import InvalidRequest, LeaseLost
from inbox.model import (
    Blob,
    Classification,
    Cost,
    Document,
    FieldWanted,
    FileDetails,
    Job,
    JobOptions,
    JobStatus,
    Lease,
    Order,
    Page,
    PageSource,
    Problem,
    Upload,
)
from inbox.project import open_project
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store
from inbox.store.supabase import SupabaseTransport

KEY = "a" * 64
LETTER = "Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n"
DOCUMENT = Document(
    media_type="text/plain", pages=(Page(number=1, text=LETTER, source=PageSource.NATIVE),)
)


@pytest.fixture(params=["postgres", "supabase"])
def transport(request: pytest.FixtureRequest) -> str:
    """How the functions are called: the promises are the same."""
    return str(request.param)


@pytest.fixture
def rows_url(transport: str, request: pytest.FixtureRequest) -> str:
    """The database of this test, for SQL beside the verbs."""
    name = {"postgres": "database_url", "supabase": "project_url"}[transport]
    return str(request.getfixturevalue(name))


@pytest.fixture
def store(transport: str, rows_url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The verbs, on a database of this test's own."""
    calls: PostgresTransport | SupabaseTransport
    if transport == "postgres":
        calls = PostgresTransport(rows_url, 8)
    else:
        project = open_project(request.getfixturevalue("project").settings())
        calls = SupabaseTransport(project, 8)
    with Store(calls, lease_seconds=30, patience=1) as opened:
        yield opened


def submitted(store: Store, files: int = 1, **more: object) -> Lease:
    """Queue a job and claim it."""
    job_id = uuid4()
    uploads = tuple(
        Upload(name=f"{n}.txt", blob=Blob(key=f"{job_id}/{n}")) for n in range(1, files + 1)
    )
    store.submit(job_id, Order.model_validate({"uploads": uploads, **more}))
    lease = store.claim(job_id, f"worker-{job_id}")
    assert lease is not None
    return lease


def reserve(
    store: Store,
    lease: Lease,
    money: float | None,
    *,
    job: float | None = None,
    day: float | None = None,
    call: UUID | None = None,
) -> str:
    """Set money aside for the first file of a lease."""
    return store.reserve_call(
        lease, lease.files[0], call or uuid4(), "m", money, budgets=(job, day)
    )


def moved(rows_url: str, seconds: float, query: str) -> object:
    """What a query says when the database's clock is moved."""
    with psycopg.connect(rows_url, autocommit=True) as connection:
        connection.execute(f"set inbox.clock_offset = '{seconds} seconds'")
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_a_jobs_budget_is_hard(store: Store) -> None:
    """What was set aside counts until it is settled; then what was really spent does."""
    lease = submitted(store)
    call = uuid4()
    assert reserve(store, lease, 0.7, job=1.0, call=call) == "ok"
    assert reserve(store, lease, 0.7, job=1.0, call=call) == "ok"
    assert reserve(store, lease, 0.4, job=1.0) == "job"
    assert reserve(store, lease, None, job=1.0) == "job"
    assert store.settle_call(call, (10, 0, 2), 0.1, None, 0)
    assert not store.settle_call(call, (10, 0, 2), 0.9, None, 0)
    assert reserve(store, lease, 0.9, job=1.0) == "ok"
    assert reserve(store, lease, 0.0001, job=1.0) == "job"


def test_a_clients_day_is_hard_and_its_own(store: Store, rows_url: str) -> None:
    """It spans jobs, outlives their deletion, and begins anew the next day."""
    first = submitted(store, client_id="ada")
    assert reserve(store, first, 0.6, day=1.0) == "ok"
    second = submitted(store, client_id="ada")
    assert reserve(store, second, 0.6, day=1.0) == "client"
    assert reserve(store, submitted(store, client_id="bob"), 0.6, day=1.0) == "ok"
    store.record_failure(first, first.files[0], Problem(code="corrupt_file", message="broken"))
    store.finish(first.job_id, first.token)
    store.delete(first.job_id)
    assert reserve(store, second, 0.6, day=1.0) == "client"
    yesterday = "update inbox_model_days set day = day - 1 where client_id = 'ada' returning day"
    assert moved(rows_url, 0, yesterday) is not None
    assert reserve(store, second, 0.6, day=1.0) == "ok"


def test_calls_at_the_same_time_cannot_exceed_a_budget_together(store: Store) -> None:
    """Of twenty calls of a tenth each, from eight threads and two jobs, ten fit."""
    leases = [submitted(store, client_id="ada") for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: reserve(store, leases[n % 2], 0.1, day=1.0), range(20)))
    assert answers.count("ok") == 10
    lease = submitted(store)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: reserve(store, lease, 0.1, job=0.8), range(20)))
    assert answers.count("ok") == 8


def test_without_the_lease_nothing_is_asked(store: Store) -> None:
    """A worker that lost its job spends no more on it."""
    lease = submitted(store)
    store.release(lease.job_id, lease.token)
    with pytest.raises(LeaseLost):
        reserve(store, lease, 0.1)


def test_answers_are_kept_for_one_client_and_for_a_time(store: Store, rows_url: str) -> None:
    """Nobody else reads them; they go with their time, or with their job."""
    lease = submitted(store, client_id="ada")
    call = uuid4()
    reserve(store, lease, 0.1, call=call)
    assert store.recall_answer("ada", KEY) is None
    store.settle_call(call, (1, 0, 1), 0.1, (KEY, '{"label": "x"}'), 60)
    assert store.recall_answer("ada", KEY) == '{"label": "x"}'
    assert store.recall_answer("bob", KEY) is None
    asked = f"select inbox_recall_model_answer('ada', '{KEY}') is null"
    assert moved(rows_url, 59, asked) is False
    assert moved(rows_url, 61, asked) is True
    store.record_failure(lease, lease.files[0], Problem(code="corrupt_file", message="broken"))
    store.finish(lease.job_id, lease.token)
    store.delete(lease.job_id)
    assert store.recall_answer("ada", KEY) is None


def test_a_files_cost_is_the_sum_of_its_calls(store: Store) -> None:
    """Also of a file that failed; the job's is the sum of its files'."""
    lease = submitted(store, files=2)
    for file in lease.files:
        call = uuid4()
        store.reserve_call(lease, file, call, "m", 0.5, budgets=(None, None))
        store.settle_call(call, (100, 10, 20), 0.01, None, 0)
        store.start(lease, file)
    found = Classification(
        label="letter",
        confidence=0.9,
        classifier="m",
        details=FileDetails(summary="A letter.", cost=Cost(calls=1, input_tokens=7)),
    )
    store.record(lease, lease.files[0], DOCUMENT, found)
    store.record_failure(lease, lease.files[1], Problem(code="model_refused", message="no"))
    store.finish(lease.job_id, lease.token)
    result = store.get(lease.job_id).result
    assert result is not None
    each = Cost(calls=1, input_tokens=100, cached_tokens=10, output_tokens=20, money=0.01)
    assert [file.details.cost for file in result.results] == [each, each]
    assert result.results[0].details.summary == "A letter."
    assert result.cost == Cost(
        calls=2, input_tokens=200, cached_tokens=20, output_tokens=40, money=0.02
    )


def test_a_postponed_job_is_not_charged_and_waits_longer_each_time(
    store: Store, rows_url: str
) -> None:
    """It is pending with every attempt left, and is handed to nobody before its time."""
    lease = submitted(store, max_attempts=1)
    waits = []
    for _ in range(3):
        assert store.may_postpone(lease.job_id, 3600)
        assert store.postpone(lease, 30) == JobStatus.PENDING
        assert store.postpone(lease, 30) == JobStatus.PENDING
        assert lease.job_id not in {job.job_id for job in store.pending(10)}
        waits.append(
            moved(
                rows_url,
                0,
                "select extract(epoch from available_at - inbox_private.clock())::float8 "
                f"from inbox_jobs where id = '{lease.job_id}'",
            )
        )
        again = store.claim(lease.job_id, f"worker-{uuid4()}")
        assert again is not None
        lease = again
    assert 20 <= float(str(waits[0])) < 38
    assert float(str(waits[0])) < float(str(waits[1])) < float(str(waits[2]))
    charged = moved(rows_url, 0, "select charged_attempts from inbox_jobs")
    assert charged == 0


def test_a_job_waits_for_a_bounded_time_without_a_step(store: Store, rows_url: str) -> None:
    """The patience ends an hour after the first wait, unless a file was done meanwhile."""
    lease = submitted(store, files=2)
    store.postpone(lease, 1)
    asked = f"select inbox_may_postpone_job('{lease.job_id}', 3600)"
    assert moved(rows_url, 3500, asked) is True
    assert moved(rows_url, 3700, asked) is False
    assert not store.may_postpone(lease.job_id, 0)
    again = store.claim(lease.job_id, "second")
    assert again is not None
    store.record_failure(again, again.files[0], Problem(code="corrupt_file", message="broken"))
    assert moved(rows_url, 3700, asked) is True


@pytest.mark.parametrize(
    "fields",
    [
        [1],
        {"name": "x"},
        [{"name": ""}],
        [{"name": "x" * 65}],
        [{"name": "x", "kind": "poem"}],
        [{"name": "x", "more": 1}],
        [{"name": "x"}, {"name": "x"}],
        [{"name": "x", "description": 5}],
        [{"name": f"f{n}"} for n in range(51)],
    ],
)
def test_fields_that_no_worker_could_read_are_refused(database_url: str, fields: object) -> None:
    """Whoever queues the job: a row that cannot be claimed never comes to be."""
    with closing(PostgresTransport(database_url, 1)) as transport, pytest.raises(InvalidRequest):
        transport.call(
            "inbox_submit_job",
            {
                "p_job_id": uuid4(),
                "p_files": [{"name": "a.txt", "storage_key": "a"}],
                "p_options": {"fields": fields},
            },
        )


# -- with a model ------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A model's server of this test's own."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def opened(settings: Settings, server: ScriptedServer) -> Iterator[Callable[..., Inbox]]:
    """Opens inboxes that ask the model, with settings of one's own."""
    with ExitStack() as stack:

        def build(**more: object) -> Inbox:
            changed = {
                "classifier": "llm",
                "openai_base_url": server.url,
                "model_max_retries": 0,
                "model_timeout_seconds": 15.0,
                **more,
            }
            return stack.enter_context(Inbox(settings.model_copy(update=changed)))

        yield build


def send(inbox: Inbox, *texts: str, options: JobOptions | None = None) -> UUID:
    """Store texts and queue them as one job."""
    job_id = uuid4()
    uploads = []
    for number, text in enumerate(texts, start=1):
        with inbox.blobs.create(blob_key(job_id, number)) as writer:
            writer.write(text.encode())
            uploads.append(Upload(name=f"{number}.txt", blob=writer.commit()))
    inbox.submit(job_id, uploads, options=options)
    return job_id


def outcomes(job: Job) -> list[tuple[str | None, str | None]]:
    """Label and error code of each file."""
    assert job.result is not None
    return [(file.label, file.error_code) for file in job.result.results]


def test_what_a_job_asks_for_reaches_the_model_and_comes_back(
    opened: Callable[..., Inbox], server: ScriptedServer
) -> None:
    """Fields, redaction and cost go the whole way through the rows."""
    inbox = opened()
    options = JobOptions(fields=(FieldWanted(name="reader"),), redact=True)
    server.plan(Step(fields=(("reader", "Ms Lovelace", "Dear Ms Lovelace"),)))
    job_id = send(inbox, f"{LETTER}ada@mail.example.org\n", options=options)
    assert inbox.work() == JobStatus.COMPLETED
    assert "ada@" not in server.requests[0].document
    result = inbox.get(job_id).result
    assert result is not None
    details = result.results[0].details
    assert [(fact.name, fact.value) for fact in details.fields] == [("reader", "Ms Lovelace")]
    assert details.summary == "A document."
    assert result.cost is not None
    assert (result.cost.calls, result.cost.input_tokens) == (1, 100)


def test_the_same_document_in_a_later_job_costs_nothing(
    opened: Callable[..., Inbox], server: ScriptedServer
) -> None:
    """Another worker process reads the kept answer, and the result says so."""
    first, second = opened(), opened()
    send(first, LETTER)
    assert first.work() == JobStatus.COMPLETED
    job_id = send(second, LETTER)
    assert second.work() == JobStatus.COMPLETED
    assert len(server.requests) == 1
    result = second.get(job_id).result
    assert result is not None
    assert result.cost == Cost(money=0.0, from_cache=True)


def test_an_answer_is_paid_for_once_though_its_result_was_not_written(
    opened: Callable[..., Inbox], server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies between answer and record leaves the answer to the next one."""
    inbox = opened()
    job_id = send(inbox, LETTER)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(inbox.store, "record", die)
        with pytest.raises(KeyboardInterrupt):
            inbox.work()
    assert inbox.get(job_id).status == JobStatus.PENDING
    assert inbox.work() == JobStatus.COMPLETED
    assert len(server.requests) == 1
    result = inbox.get(job_id).result
    assert result is not None
    assert result.cost is not None
    assert (result.cost.calls, result.cost.input_tokens) == (1, 100)


def test_a_job_without_money_left_fails_its_files_and_asks_nobody(
    opened: Callable[..., Inbox], server: ScriptedServer
) -> None:
    """A budget of nothing allows no call."""
    inbox = opened()
    job_id = send(inbox, LETTER, options=JobOptions(budget=0))
    assert inbox.work() == JobStatus.FAILED
    assert outcomes(inbox.get(job_id)) == [(None, "budget_exceeded")]
    assert server.requests == []
    inbox = opened(model_fallback="lexicon", model_daily_budget=0.0)
    job_id = send(inbox, LETTER)
    assert inbox.work() == JobStatus.COMPLETED
    result = inbox.get(job_id).result
    assert result is not None
    assert "budget_exceeded" in result.results[0].review_reasons
    assert server.requests == []


def test_a_job_waits_for_a_model_that_is_away_and_then_goes_on(
    opened: Callable[..., Inbox], server: ScriptedServer
) -> None:
    """Uncharged; what is done stays done; the rest is done when the model is back."""
    inbox = opened(model_away_seconds=0.2)
    job_id = send(inbox, LETTER, f"{LETTER}P.S. 1", f"{LETTER}P.S. 2")
    server.plan("ok", "529")
    assert inbox.work() == JobStatus.PENDING
    job = inbox.get(job_id)
    assert job.processed_files == 1
    assert len(server.requests) == 2
    lease = None
    while lease is None:
        lease = inbox.claim()
    with inbox.hold(lease):
        assert len(lease.files) == 2
        for file in lease.files:
            inbox.classify(lease, file, inbox.extract(lease, file))
        assert inbox.finish(lease) == JobStatus.COMPLETED
    assert [label for label, _ in outcomes(inbox.get(job_id))] == ["letter"] * 3
    assert len(server.requests) == 4
    assert inbox.get(job_id).attempt == 2


def test_a_job_without_patience_fails(opened: Callable[..., Inbox], server: ScriptedServer) -> None:
    """Where the settings allow no waiting, files fail with the model's absence as the reason."""
    inbox = opened(model_patience_seconds=0.0)
    job_id = send(inbox, LETTER)
    server.plan("529")
    assert inbox.work() == JobStatus.FAILED
    assert outcomes(inbox.get(job_id)) == [(None, "model_unavailable")]


FAULTS = {
    "500": "model_unavailable",
    "reset": "model_unavailable",
    "401": "model_rejected",
    "quota": "model_rejected",
    "refusal": "model_refused",
    "length": "model_answer_invalid",
    "html": "model_answer_invalid",
    "enum": "model_answer_invalid",
    "nan": "model_answer_invalid",
}


def test_every_fault_has_its_outcome_in_the_rows_and_siblings_are_fine(
    opened: Callable[..., Inbox], server: ScriptedServer
) -> None:
    """One job with a file for each fault between good ones."""
    inbox = opened()
    texts = []
    for fault in FAULTS:
        texts += [f"{LETTER}FAIL-{fault}", f"{LETTER}beside {fault.upper()}"]
    job_id = send(inbox, *texts)
    assert inbox.work() == JobStatus.COMPLETED
    expected = [outcome for code in FAULTS.values() for outcome in ((None, code), ("letter", None))]
    assert outcomes(inbox.get(job_id)) == expected
    with psycopg.connect(inbox.settings.database_url.get_secret_value()) as connection:  # type: ignore[union-attr]
        query = "select f.number, count(*) from inbox_model_calls c join inbox_files f"
        rows = connection.execute(f"{query} on f.id = c.file_id group by 1").fetchall()
    calls = dict(rows)
    assert all(calls[number] == 1 for number in range(2, len(texts) + 1, 2))
