"""Budgets, kept answers and jobs that wait for a model: in the rows, whoever calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID, uuid4

import psycopg
import pytest

from inbox.errors import (
    InvalidRequest,
    LeaseLost,
)
from inbox.model import (
    Blob,
    Classification,
    Cost,
    Document,
    FileDetails,
    JobStatus,
    Lease,
    Order,
    Page,
    PageSource,
    Problem,
    Upload,
)
from inbox.store.postgres import PostgresTransport
from inbox.store.store import Store

KEY = "a" * 64


LETTER = "Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n"


DOCUMENT = Document(
    media_type="text/plain", pages=(Page(number=1, text=LETTER, source=PageSource.NATIVE),)
)


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
