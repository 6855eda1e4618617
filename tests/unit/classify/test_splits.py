"""Where one file holds several documents, and where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbox.classify.lexicon import LexiconClassifier
from inbox.classify.splits import boundaries, propose_splits, with_splits
from inbox.model import Document, Page, PageSource

SAMPLES = Path(__file__).parent / "documents"
INVOICE = (SAMPLES / "invoice" / "english_consulting.txt").read_text("utf-8")
RESUME = (SAMPLES / "resume" / "senior.txt").read_text("utf-8")
RECEIPT = (SAMPLES / "receipt" / "grocery.txt").read_text("utf-8")
LEASE = (SAMPLES / "contract" / "lease.txt").read_text("utf-8")
STORY = (
    "Chapter {n}\nThe ferry left the harbour at dawn. Marta watched the lighthouse of the island "
    "grow smaller while the captain counted the crates of oranges. The sea around the ferry was "
    "calm, and Marta thought of the harbour, of her brother on the island and of the captain's "
    "promise to bring the oranges safely\n"
)


def stack(*texts: str, media_type: str = "application/pdf") -> Document:
    """A file with one page a text."""
    pages = (
        Page(number=number, text=text, source=PageSource.OCR, engine="test", confidence=0.9)
        for number, text in enumerate(texts, 1)
    )
    return Document(media_type=media_type, pages=tuple(pages))


def ranges(document: Document) -> list[tuple[int, int]]:
    """The proposed page ranges."""
    return [(split.first_page, split.last_page) for split in propose_splits(document)]


def test_a_stack_of_documents_is_taken_apart() -> None:
    """One page each: every boundary is found, with a confidence; the first needs none."""
    found = propose_splits(stack(INVOICE, RESUME, RECEIPT))
    assert [(each.first_page, each.last_page) for each in found] == [(1, 1), (2, 2), (3, 3)]
    assert found[0].confidence is None
    assert all(each.confidence is not None and each.confidence > 0.6 for each in found[1:])


def test_pages_of_one_document_stay_together() -> None:
    """A story over five pages is one document, and so is each document in a stack."""
    story = [STORY.format(n=n) for n in range(1, 6)]
    assert ranges(stack(*story)) == []
    assert ranges(stack(INVOICE, *story[:3], RECEIPT)) == [(1, 1), (2, 4), (5, 5)]


@pytest.mark.parametrize("number", ["{n}", "- {n} -", "[{n}]", "K {n} K"])
def test_bare_page_numbers_that_count_on_speak(number: str) -> None:
    """Pages that have only a running number in common are one document, however it is drawn."""
    texts = (INVOICE, RESUME, RECEIPT)
    numbered = [f"{text}\n{number.format(n=n)}\n" for n, text in enumerate(texts, 51)]
    assert ranges(stack(*numbered)) == []


def test_page_numbers_speak() -> None:
    """`Page 2 of 3` does not begin a document, however unlike its words; `Page 1` does."""
    numbered = [f"{text}\nPage {n} of 3\n" for n, text in enumerate((INVOICE, RESUME, RECEIPT), 1)]
    assert ranges(stack(*numbered)) == []
    again = [f"{STORY.format(n=n)}\nPage {number} of 2\n" for n, number in enumerate((1, 2, 1, 2))]
    chances = boundaries(stack(*again))
    assert chances[3] > max(chances[2], chances[4])


def test_blank_pages_belong_to_what_came_before() -> None:
    """The back of a sheet does not begin a document, and does not hide the next one."""
    assert ranges(stack(INVOICE, "", RESUME, " \n")) == [(1, 2), (3, 4)]
    assert ranges(stack("", "", INVOICE)) == []


@pytest.mark.parametrize("media_type", ["text/plain", "message/rfc822"])
def test_only_sheets_are_split(media_type: str) -> None:
    """A mail or a text is one document, whatever it holds."""
    assert ranges(stack(INVOICE, RESUME, media_type=media_type)) == []


def test_a_single_page_is_one_document() -> None:
    """There is nothing to split."""
    assert ranges(stack(INVOICE)) == []


def test_each_part_gets_its_label_and_the_file_a_review() -> None:
    """No one label is right for a stack, so a person is asked; evidence stays."""
    document = stack(INVOICE, RESUME, LEASE)
    found = LexiconClassifier().classify(document)
    split = with_splits(found, document)
    assert [part.label for part in split.details.splits] == ["invoice", "resume", "contract"]
    assert split.needs_review
    assert "several_documents" in split.review_reasons
    assert split.evidence == found.evidence
    alone = stack(INVOICE)
    assert with_splits(LexiconClassifier().classify(alone), alone).details.splits == ()
