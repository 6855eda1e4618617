"""Classifying with a model over real HTTP: what is asked, and what comes back."""

from __future__ import annotations

import json

import pytest
from asking import INVOICE, classify, document, settings
from openai_server import ScriptedServer, Step

from inbox.classify import DEFAULT_LABELS, Terms, open_classifier, parse_labels
from inbox.errors import (
    InvalidLabels,
)
from inbox.model import (
    Classification,
    FieldWanted,
    Label,
)


def test_a_document_is_filed(server: ScriptedServer) -> None:
    """The happy path: label, verified quote, agreement of both opinions, no review."""
    result = classify(server, INVOICE)
    assert result.label == "invoice"
    assert not result.needs_review
    assert result.confidence is not None
    assert result.confidence > 0.9
    assert [evidence.quote for evidence in result.evidence] == ["INVOICE"]
    assert result.classifier == "llm-2:gpt-5-mini"
    assert len(result.alternatives) == 3


def test_what_is_sent(server: ScriptedServer) -> None:
    """One strict schema with the closed list, the document behind a fence, no sampling knobs."""
    classify(server, INVOICE, openai_api_key="sk-mine", model="local-7b")
    (request,) = server.requests
    assert request.key == "sk-mine"
    assert request.body["model"] == "local-7b"
    schema = request.body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False
    assert request.labels == [label.name for label in DEFAULT_LABELS]
    assert "[page 1]\nINVOICE" in request.document
    assert "temperature" not in request.body
    assert "tools" not in request.body


def test_a_server_that_wants_no_key_gets_a_placeholder(server: ScriptedServer) -> None:
    """A base URL alone is enough."""
    classify(server, INVOICE)
    assert server.requests[0].key == "no-key-needed"


def test_the_callers_labels_are_the_closed_list(server: ScriptedServer) -> None:
    """The caller's spelling goes to the model and comes back."""
    labels = parse_labels([{"name": "Bills to pay", "description": "invoices"}, "Rest (ünsorted)"])
    result = classify(server, INVOICE, labels=labels)
    assert server.requests[0].labels == ["Bills to pay", "Rest (ünsorted)"]
    assert result.label == "Bills to pay"
    assert not result.needs_review
    with pytest.raises(InvalidLabels):
        classify(server, INVOICE, labels=(Label(name="one"),))
    assert len(server.requests) == 1


def test_no_text_asks_no_model(server: ScriptedServer) -> None:
    """An empty document costs no call."""
    result = classify(server, "", " ")
    assert result.label is None
    assert result.review_reasons == ("no_text",)
    assert server.requests == []


def test_of_a_long_document_the_pages_that_matter_are_sent(server: ScriptedServer) -> None:
    """A telling page in the middle reaches the model, within the budget."""
    pages = ["wool " * 800] * 80
    pages[51] = INVOICE + pages[51]
    result = classify(server, *pages)
    assert len(server.requests[0].document) < 26_000
    assert "[page 52]\nINVOICE" in server.requests[0].document
    assert result.label == "invoice"


def test_a_running_event_loop_is_no_obstacle(server: ScriptedServer) -> None:
    """Called from inside a coroutine, classifying works just the same."""
    import asyncio

    async def inside() -> Classification:
        return open_classifier(settings(server)).classify(document(INVOICE))

    assert asyncio.run(inside()).label == "invoice"


def test_a_summary_and_the_usual_fields_come_along(server: ScriptedServer) -> None:
    """Without a wish of the caller's, dates, amounts and parties are asked for; quotes checked."""
    server.plan(
        Step(
            summary="A bill  for Acme.",
            fields=(
                ("party", "Acme", "Bill to: ACME"),
                ("amount", "12.00", "Total due: 12.00"),
            ),
        )
    )
    result = classify(server, INVOICE)
    names = server.requests[0].schema["properties"]["fields"]
    assert "date" in json.dumps(server.requests[0].schema)
    assert names["type"] == "array"
    assert result.details.summary == "A bill for Acme."
    assert [(each.name, each.value, each.quote) for each in result.details.fields] == [
        ("party", "Acme", "Bill to: Acme"),
        ("amount", "12.00", "Total due: 12.00"),
    ]
    assert not result.needs_review


def test_the_callers_fields_are_asked_for(server: ScriptedServer) -> None:
    """The schema allows the caller's names only; an empty list asks for none."""
    wanted = Terms(fields=(FieldWanted(name="invoice number", description="its number"),))
    server.plan(Step(fields=(("invoice number", "771", "Invoice number: 771"),)))
    classifier = open_classifier(settings(server))
    result = classifier.classify(document(INVOICE), None, wanted)
    assert [each.value for each in result.details.fields] == ["771"]
    assert "its number" in server.requests[0].body["messages"][0]["content"]
    classifier.classify(document(INVOICE), None, Terms(fields=()))
    assert "fields" not in server.requests[1].schema["properties"]
