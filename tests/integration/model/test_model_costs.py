"""What a model costs: tokens, money, answers that are kept, budgets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from asking import INVOICE, classify, document, settings
from openai_server import ScriptedServer

from inbox.classify import MemoryLedger, Terms, open_classifier, parse_labels
from inbox.classify.llm import ModelClassifier
from inbox.errors import (
    BudgetExceeded,
)


def test_tokens_are_counted_and_priced(server: ScriptedServer) -> None:
    """100 tokens in and 20 out of the default model, by the table; unknown models by tokens."""
    cost = classify(server, INVOICE).details.cost
    assert cost is not None
    assert (cost.calls, cost.input_tokens, cost.output_tokens) == (1, 100, 20)
    assert cost.money == pytest.approx((100 * 0.25 + 20 * 2.0) / 1_000_000)
    cost = classify(server, INVOICE, model="my-7b").details.cost
    assert cost is not None
    assert (cost.money, cost.input_tokens) == (None, 100)


def test_an_answer_that_breaks_the_schema_is_paid_for_too(server: ScriptedServer) -> None:
    """Both calls are in the file's cost."""
    server.plan("enum", "ok")
    cost = classify(server, INVOICE).details.cost
    assert cost is not None
    assert (cost.calls, cost.input_tokens, cost.output_tokens) == (2, 200, 40)


def test_a_document_is_paid_for_once(server: ScriptedServer) -> None:
    """The same text again, even at the same time, is answered from what was kept; and says so."""
    classifier = open_classifier(settings(server))
    terms = Terms()
    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(lambda _: classifier.classify(document(INVOICE), None, terms), range(4))
        )
    assert len(server.requests) == 1
    costs = [each.details.cost for each in results]
    assert sorted(cost.from_cache for cost in costs if cost) == [False, True, True, True]
    assert all(cost.money == 0 for cost in costs if cost and cost.from_cache)
    classifier.classify(document(f"{INVOICE}."), None, terms)
    labels = parse_labels(["bill", "note"])
    classifier.classify(document(INVOICE), labels, terms)
    assert len(server.requests) == 3


def test_what_a_budget_does_not_allow_is_not_asked(server: ScriptedServer) -> None:
    """The estimate says what a call may cost at most; a cent less, and there is no call."""
    classifier = ModelClassifier(settings(server))
    found = classifier.estimate([document(INVOICE), document("")])
    assert found.calls == 1
    assert found.most is not None
    short = Terms(ledger=MemoryLedger(found.most / 2))
    with pytest.raises(BudgetExceeded):
        classifier.classify(document(INVOICE), None, short)
    assert server.requests == []
    enough = Terms(ledger=MemoryLedger(found.most * 2))
    assert classifier.classify(document(INVOICE), None, enough).label == "invoice"
    unpriced = ModelClassifier(settings(server, model="my-7b"))
    with pytest.raises(BudgetExceeded, match="price is unknown"):
        unpriced.classify(document(INVOICE), None, enough)
    assert len(server.requests) == 1
