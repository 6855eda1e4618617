"""Whole jobs with a model: what they ask for, cost, and wait for."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
from openai_server import ScriptedServer, Step

from inbox.blobs import blob_key
from inbox.model import (
    Cost,
    FieldWanted,
    Job,
    JobOptions,
    JobStatus,
    Upload,
)
from inbox.service import Inbox

LETTER = "Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n"


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
    "filter": "model_refused",
    "length": "model_answer_invalid",
    "empty": "model_answer_invalid",
    "html": "model_answer_invalid",
    "null": "model_answer_invalid",
    "truncated": "model_answer_invalid",
    "enum": "model_answer_invalid",
    "nan": "model_answer_invalid",
    "range": "model_answer_invalid",
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


@pytest.mark.parametrize("fault", ["500", "truncated", "refusal", "401"])
def test_after_a_fault_only_the_failed_file_is_asked_again(
    opened: Callable[..., Inbox], server: ScriptedServer, fault: str
) -> None:
    """Nothing that was read is lost, and nothing that was answered is paid for twice."""
    inbox = opened()
    job_id = send(inbox, LETTER, f"{LETTER}P.S. 1")
    server.plan("ok", *[fault] * (2 if fault == "truncated" else 1))
    assert inbox.work() == JobStatus.COMPLETED
    assert [label for label, _ in outcomes(inbox.get(job_id))] == ["letter", None]
    asked = len(server.requests)
    inbox.retry(job_id)
    assert inbox.work() == JobStatus.COMPLETED
    job = inbox.get(job_id)
    assert outcomes(job) == [("letter", None)] * 2
    assert len(server.requests) == asked + 1
    assert job.result is not None
    texts = [inbox.document(job_id, file.file_id).text for file in job.result.results]
    assert texts == [LETTER.strip(), f"{LETTER}P.S. 1"]
