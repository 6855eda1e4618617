"""What becomes of a document when the model's server fails, over real HTTP."""

from __future__ import annotations

import email.utils
import json
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asking import INVOICE, classify, document, settings
from openai_server import ScriptedServer, Step

import inbox.errors
from inbox.classify import open_classifier
from inbox.errors import (
    InboxError,
    ModelAnswerInvalid,
    ModelAway,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)

SECRET = "Zanzibarbarossa"


@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        ("429", ModelAway, 3),
        ("500", ModelUnavailable, 3),
        ("503", ModelAway, 3),
        ("529", ModelAway, 3),
        ("reset", ModelUnavailable, 3),
        ("400", ModelRejected, 1),
        ("401", ModelRejected, 1),
        ("403", ModelRejected, 1),
        ("404", ModelRejected, 1),
        ("quota", ModelRejected, 1),
        ("refusal", ModelRefused, 1),
        ("filter", ModelRefused, 1),
        ("empty", ModelAnswerInvalid, 2),
        ("html", ModelAnswerInvalid, 2),
        ("null", ModelAnswerInvalid, 2),
        ("truncated", ModelAnswerInvalid, 2),
        ("enum", ModelAnswerInvalid, 2),
        ("nolabel", ModelAnswerInvalid, 2),
        ("nan", ModelAnswerInvalid, 2),
        ("range", ModelAnswerInvalid, 2),
        ("nochoices", ModelAnswerInvalid, 2),
        ("length", ModelAnswerInvalid, 2),
    ],
)
def test_every_fault_has_its_error_and_its_number_of_calls(
    server: ScriptedServer, fault: str, error: type[InboxError], calls: int
) -> None:
    """A fault that stays ends in one stated error after a bounded number of calls."""
    with pytest.raises(InboxError) as raised:
        classify(server, f"{INVOICE}FAIL-{fault} {SECRET}")
    assert type(raised.value) is error
    assert len(server.requests) == calls
    shown = "".join(traceback.format_exception(raised.value))
    assert SECRET not in shown
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("fault", ["429", "500", "529", "reset", "html", "truncated", "enum"])
def test_a_passing_fault_is_survived(server: ScriptedServer, fault: str) -> None:
    """One bad answer followed by a good one gives a result."""
    server.plan(fault, "ok")
    assert classify(server, INVOICE).label == "invoice"
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", ["timeout", "drip"])
def test_a_slow_server_is_left_at_the_deadline(server: ScriptedServer, fault: str) -> None:
    """Neither silence nor a byte now and then holds the worker longer than the settings allow."""
    classify(server, INVOICE)  # loads the libraries, so that only waiting is measured
    server.plan(*[fault] * 2)
    start = time.monotonic()
    with pytest.raises(ModelUnavailable):
        classify(server, INVOICE, model_timeout_seconds=0.7, model_max_retries=1)
    assert 1.4 <= time.monotonic() - start < 8
    assert len(server.requests) == 3


def test_a_server_that_is_not_there_is_unavailable(server: ScriptedServer) -> None:
    """A refused connection is a fault of the moment."""
    given = settings(server, model_max_retries=1)
    server.__exit__(None, None, None)
    try:
        with pytest.raises(ModelUnavailable):
            open_classifier(given).classify(document(INVOICE))
    finally:
        server.__enter__()


def test_retry_after_is_honoured(server: ScriptedServer) -> None:
    """The next call comes no earlier than the server asked for, in seconds or as a date."""
    server.plan(Step("429", retry_after="1.2"), Step("ok"))
    classify(server, INVOICE)
    first, second = server.requests
    assert second.at - first.at >= 1.2
    server.requests.clear()
    soon = email.utils.formatdate(time.time() + 3, usegmt=True)
    server.plan(Step("529", retry_after=soon), Step("ok"))
    classify(server, INVOICE)
    first, second = server.requests
    assert second.at - first.at >= 1


@pytest.mark.parametrize("asked", ["3600", "1e9", "99999999999999999999"])
def test_a_server_that_asks_for_an_hour_is_not_waited_for(
    server: ScriptedServer, asked: str
) -> None:
    """A long wait is a matter for a later attempt, not for a worker that sleeps."""
    server.plan(Step("429", retry_after=asked))
    start = time.monotonic()
    with pytest.raises(ModelUnavailable):
        classify(server, INVOICE)
    assert time.monotonic() - start < 30
    assert len(server.requests) == 1


@pytest.mark.parametrize("asked", ["nan", "soon", "-5", ""])
def test_a_senseless_retry_after_does_no_harm(server: ScriptedServer, asked: str) -> None:
    """What cannot be understood is treated as if it were not there."""
    server.plan(Step("429", retry_after=asked), Step("ok"))
    assert classify(server, INVOICE).label == "invoice"


def test_no_retries_means_one_call(server: ScriptedServer) -> None:
    """With retries set to 0 a fault is reported at once."""
    server.plan("500", "ok")
    with pytest.raises(ModelUnavailable):
        classify(server, INVOICE, model_max_retries=0)
    assert len(server.requests) == 1


def test_neighbours_of_a_failing_document_are_fine(server: ScriptedServer) -> None:
    """In parallel threads one document fails and the others are filed."""
    classifier = open_classifier(settings(server, model_max_retries=0))
    texts = [f"{INVOICE}number {number}" for number in range(6)]
    texts[2] += " FAIL-500"

    def run(text: str) -> str | None:
        try:
            return classifier.classify(document(text)).label
        except ModelUnavailable as error:
            return error.code

    with ThreadPoolExecutor(3) as pool:
        labels = list(pool.map(run, texts))
    assert labels == ["invoice", "invoice", "model_unavailable", "invoice", "invoice", "invoice"]
    assert threading.active_count() < 20


def test_every_error_of_a_model_is_in_the_tree() -> None:
    """Whether trying again helps is stated by the class."""
    retried = {
        name: getattr(inbox.errors, name).retry
        for name in ("ModelUnavailable", "ModelRejected", "ModelRefused", "ModelAnswerInvalid")
    }
    assert retried == {
        "ModelUnavailable": True,
        "ModelRejected": False,
        "ModelRefused": False,
        "ModelAnswerInvalid": False,
    }


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("500", "model_unavailable"), ("529", "model_away"), ("401", "model_rejected")],
)
def test_the_lexicon_may_answer_for_a_model(
    server: ScriptedServer, fault: str, reason: str
) -> None:
    """Where the settings ask for it; the result says who answered, and a person looks."""
    server.plan(fault)
    result = classify(server, INVOICE, model_fallback="lexicon", model_max_retries=0)
    assert result.label == "invoice"
    assert result.needs_review
    assert reason in result.review_reasons
    assert result.classifier.endswith("for llm-2:gpt-5-mini")
    assert result.classifier.startswith("lexicon-")


def test_the_threshold_for_review_holds_whoever_answers(server: ScriptedServer) -> None:
    """The setting counts for the model's answer and for the lexicon's in its place."""
    for faults in ((), ("500",)):
        for threshold, asked in ((0.0, False), (1.0, True)):
            server.plan(*faults)
            result = classify(
                server,
                INVOICE,
                model_fallback="lexicon",
                model_max_retries=0,
                review_threshold=threshold,
            )
            assert ("low_confidence" in result.review_reasons) is asked


def test_a_server_that_turns_everybody_away_is_left_alone(server: ScriptedServer) -> None:
    """After one document was turned away to the end, the next makes no call at all."""
    classifier = open_classifier(settings(server, model_max_retries=1))
    server.plan("529", "529")
    for _ in range(3):
        with pytest.raises(ModelAway):
            classifier.classify(document(INVOICE))
    assert len(server.requests) == 2


def test_the_rate_is_shared_by_all_threads(server: ScriptedServer) -> None:
    """At 120 a minute, four calls from four threads are spread over a second and a half."""
    classifier = open_classifier(settings(server, model_requests_per_minute=120))
    texts = [document(f"{INVOICE}number {number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(classifier.classify, texts))) == 4
    times = sorted(request.at for request in server.requests)
    assert times[-1] - times[0] >= 1.3


def test_the_server_runs_by_itself() -> None:
    """Started as a program, it prints its URL and answers, and ends when told to."""
    program = Path(__file__).parents[2] / "faults" / "openai_server.py"
    with subprocess.Popen(
        [sys.executable, str(program), "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with ScriptedServer() as recorder:
                classify(recorder, INVOICE)
                body = json.dumps(recorder.requests[0].body).encode()
            request = urllib.request.Request(
                f"{url}/chat/completions", body, {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                said = json.load(answer)
            content = json.loads(said["choices"][0]["message"]["content"])
            assert content == {
                "label": "invoice",
                "evidence": ["INVOICE"],
                "summary": "A document.",
                "fields": [],
            }
        finally:
            process.terminate()
            assert process.wait(20) is not None
