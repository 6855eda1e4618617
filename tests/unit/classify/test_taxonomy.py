"""A caller's own labels: what is accepted and what is refused with a sentence."""

from __future__ import annotations

import json

import pytest

from inbox.classify import DEFAULT_LABELS, parse_labels
from inbox.classify.cues import default_cues
from inbox.errors import InvalidLabels
from inbox.model import Label


def test_the_default_labels_are_the_promised_fourteen() -> None:
    """The default set is fixed, each label has a description, and each has cues."""
    names = [label.name for label in DEFAULT_LABELS]
    assert names == [
        "invoice",
        "receipt",
        "contract",
        "resume",
        "letter",
        "memo",
        "form",
        "report",
        "bank_statement",
        "identity_document",
        "email",
        "scientific_article",
        "news_article",
        "other",
    ]
    assert all(label.description for label in DEFAULT_LABELS)
    assert set(default_cues()) == set(names)


@pytest.mark.parametrize(
    "value",
    [
        "bills, complaints ,bills of lading",
        '["bills", "complaints", "bills of lading"]',
        ["bills", "complaints", "bills of lading"],
        [{"name": "bills"}, {"name": " complaints "}, Label(name="bills of lading")],
    ],
)
def test_every_way_to_write_labels_means_the_same(value: object) -> None:
    """A comma list, JSON text, a list of names and a list of objects agree."""
    assert [label.name for label in parse_labels(value)] == [
        "bills",
        "complaints",
        "bills of lading",
    ]


def test_descriptions_travel() -> None:
    """The description given with a label is kept, with white space tidied."""
    labels = parse_labels('[{"name": "Ä", "description": " a \\n b "}, {"name": "B"}]')
    assert labels == (Label(name="Ä", description="a b"), Label(name="B"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "empty"),
        ("only one", "2 to 200 labels"),
        ([f"label {number}" for number in range(201)], "2 to 200 labels"),
        ("Invoice, invoice", "same name"),
        ("STRASSE, straße", "same name"),
        ('["a", ', "not valid JSON"),
        ('{"name": "a"}', "must be a list"),
        (7, "must be a list"),
        (["a", 7], "Label 2 must be a name"),
        ([{"name": 5}, "b"], "must be text"),
        ([{"name": "a", "descripton": "x"}, "b"], "other than name and description"),
        (["a", "  --  "], "at least one letter"),
        (["a", "b\x00"], "cannot be printed"),
        (["a", "b" * 65], "longer than 64"),
        ([{"name": "a", "description": "x" * 1001}, "b"], "longer than 1000"),
        ("[" * 100_000, "not valid JSON"),
        ([{"name": "a", "description": "with\0nothing"}, "b"], "cannot be printed"),
    ],
)
def test_labels_that_cannot_work_are_refused_with_a_sentence(value: object, said: str) -> None:
    """What is wrong, and with which label, is in the message."""
    with pytest.raises(InvalidLabels, match=said):
        parse_labels(value)


def test_the_limits_themselves_are_allowed() -> None:
    """Two labels, two hundred labels and the longest name pass."""
    assert len(parse_labels("a,b")) == 2
    assert len(parse_labels(json.dumps([f"label {number}" for number in range(200)]))) == 200
    assert parse_labels(["n" * 64, "m"])[0].name == "n" * 64
