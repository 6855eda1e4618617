"""What stands between a document and a model: hiding, checking, counting and giving up."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from inbox.classify import MemoryLedger, Usage
from inbox.classify.llm import facts, prices
from inbox.classify.llm.guard import Breaker, Pace
from inbox.classify.llm.prompt import Fact
from inbox.classify.llm.redact import Redaction
from inbox.classify.verify import Finder
from inbox.errors import BudgetExceeded, JobCancelled, ModelAway
from inbox.model import Document, FieldWanted, Page, PageSource


def document(*texts: str) -> Document:
    """A document of these pages."""
    pages = (
        Page(number=number, text=text, source=PageSource.NATIVE)
        for number, text in enumerate(texts, 1)
    )
    return Document(media_type="text/plain", pages=tuple(pages))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("IBAN DE89 3704 0044 0532 0130 00 BIC X", "IBAN [IBAN 1] BIC X"),
        ("pay GB82WEST12345698765432 now", "pay [IBAN 1] now"),
        ("pay GB82WEST12345698765433 now", "pay GB82WEST12345698765433 now"),
        ("card 4111 1111 1111 1111.", "card [card 1]."),
        ("order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),
        ("write to ada.l@mail.example.org!", "write to [e-mail 1]!"),
        ("call +49 (0)30 901820 today", "call [phone 1] today"),
        ("Tel: 030/901820", "Tel: [phone 1]"),
        ("(555) 123-4567", "[phone 1]"),
        ("555-123-4567", "[phone 1]"),
        ("Total 1,234.56 on 2024-03-01, 01.02.2024", "Total 1,234.56 on 2024-03-01, 01.02.2024"),
        ("a@b.de and c@d.de and a@b.de", "[e-mail 1] and [e-mail 2] and [e-mail 1]"),
    ],
)
def test_numbers_of_people_are_hidden_and_put_back(text: str, shown: str) -> None:
    """What passes its check digits is replaced; amounts, dates and order numbers are not."""
    redaction = Redaction(document("first", text))
    assert redaction.document.pages[1].text == shown
    assert redaction.restore(shown) == text
    assert redaction.restore("[IBAN 9] [card 7]") == "[IBAN 9] [card 7]"


@pytest.mark.parametrize("unit", ["DE89 ", "4 ", "a@", "+49 ", "(0", "1.", "AB12"])
def test_hiding_takes_bounded_time(unit: str) -> None:
    """Half a megabyte that is made to make patterns backtrack costs seconds at most."""
    start = time.process_time()
    Redaction(document(unit * (500_000 // len(unit))))
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("kind", "value", "quote", "holds"),
    [
        ("date", "2024-03-01", "on 1 March 2024", True),
        ("date", "2024-03-01", "01.03.24", True),
        ("date", "2024-03-02", "on 1 March 2024", False),
        ("date", "2023-03-01", "on 1 March 2024", False),
        ("date", "2024-03-01", "20240301", True),
        ("amount", "EUR 1234.50", "Total: 1.234,50 €", True),
        ("amount", "1,234.5", "Total: 1 234,50", True),
        ("amount", "1234.51", "Total: 1.234,50 €", False),
        ("amount", "twelve", "twelve", False),
        ("text", "Acme Ltd", "Bill to:\nACME, Ltd.", True),
        ("text", "Acme Ltd", "Bill to: Acme", False),
        ("text", "", "anything", False),
    ],
)
def test_a_value_must_stand_in_its_quote(kind: str, value: str, quote: str, holds: bool) -> None:
    """A right quote does not bear out a wrong value."""
    assert facts.borne_out(kind, value, quote) is holds


def test_facts_are_believed_as_far_as_their_quotes_go() -> None:
    """Of five facts one holds; the page of its quote is named, and that others fell is said."""
    read = document("cover", "Payable to Acme Ltd by 1 March 2024")
    wanted = [FieldWanted(name="party"), FieldWanted(name="due", kind="date")]
    said = [
        Fact(name="party", value="Acme Ltd", quote="payable to  ACME ltd"),
        Fact(name="party", value="Evil Corp", quote="payable to Evil Corp"),
        Fact(name="party", value="Evil Corp", quote="Payable to Acme Ltd"),
        Fact(name="boss", value="Acme Ltd", quote="Payable to Acme Ltd"),
        Fact(name="due", value="2024-03-11", quote="by 1 March 2024"),
    ]
    found = facts.check(said, wanted, Finder(read), str)
    assert [(each.name, each.value, each.quote, each.page) for each in found.found] == [
        ("party", "Acme Ltd", "Payable to Acme Ltd", 2)
    ]
    assert found.dropped
    assert not facts.check(said[:1], wanted, Finder(read), str).dropped


def test_a_price_is_the_settings_or_the_tables_or_unknown() -> None:
    """Dated names have the price of the name; cached input has its own."""
    table = prices.price_of("gpt-5-mini-2025-08-07", {})
    assert table == prices.PRICES["gpt-5-mini"]
    assert prices.price_of("my-7b", {}) is None
    own = prices.price_of("my-7b", {"my-7b": (1.0, 0.5, 2.0)})
    assert own is not None
    assert own.of(Usage(1_000_000, 400_000, 500_000)) == pytest.approx(0.6 + 0.2 + 1.0)


def test_an_estimate_says_what_is_likely_and_what_cannot_be_exceeded() -> None:
    """Unknown prices leave the money unknown and the tokens counted."""
    found = prices.estimate(["word " * 1000, "x"], prices.Price(1.0, 1.0, 1.0), 500)
    assert found.calls == 2
    assert found.likely is not None
    assert found.most is not None
    assert 0 < found.likely < found.most
    unknown = prices.estimate(["word " * 1000], None, 500)
    assert unknown.most is None
    assert unknown.input_tokens > 1000


def test_a_budget_in_memory_is_hard() -> None:
    """What could exceed it is not begun; what was settled lower makes room."""
    ledger = MemoryLedger(1.0)
    call = uuid4()
    ledger.reserve(call, "m", 0.7)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(uuid4(), "m", 0.7)
    with pytest.raises(BudgetExceeded, match="price is unknown"):
        ledger.reserve(uuid4(), "m", None)
    ledger.settle(call, Usage(), 0.1, ("key", "answer"))
    ledger.reserve(uuid4(), "m", 0.7)
    assert ledger.recall("key") == "answer"


def test_one_bad_document_does_not_open_the_breaker() -> None:
    """A document that the server always fails on is its own fault; three different ones are not."""
    breaker = Breaker(30)
    for _ in range(10):
        breaker.failed("same", away=False, asked=None)
    breaker.failed("second", away=False, asked=None)
    breaker.check()
    with pytest.raises(ModelAway):
        breaker.failed("third", away=False, asked=None)
    with pytest.raises(ModelAway) as raised:
        breaker.check()
    assert 0 < raised.value.seconds <= 30


def test_an_answer_closes_the_breaker_and_one_caller_tries() -> None:
    """After the time is over one call passes, the others still wait, an answer lets all in."""
    breaker = Breaker(0.05)
    with pytest.raises(ModelAway):
        breaker.failed("one", away=True, asked=None)
    deadline = time.monotonic() + 10
    while True:
        try:
            breaker.check()
            break
        except ModelAway:
            assert time.monotonic() < deadline
    breaker.answered()
    breaker.check()
    with pytest.raises(ModelAway) as raised:
        breaker.failed("one", away=True, asked=1e9)
    assert raised.value.seconds <= 3600


def test_waiting_for_a_turn_ends_when_the_work_is_to_stop() -> None:
    """A cancelled job does not wait for its place in the rate."""
    pace = Pace(0.001)
    asked = []

    def still() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise JobCancelled("enough")

    with pytest.raises(JobCancelled):
        pace.wait(still)
