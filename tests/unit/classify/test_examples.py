"""Examples of a label, and corrections that become examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbox.classify import DEFAULT_LABELS, likeness, parse_labels, with_examples
from inbox.classify.examples import example_points
from inbox.classify.lexicon import LexiconClassifier
from inbox.model import Document, Page, PageSource

SAMPLES = Path(__file__).parent / "documents"
MEDIA_TYPES = {".txt": "text/plain", ".csv": "text/csv", ".eml": "message/rfc822"}
TICKET = (
    "Maintenance ticket {number}\nElevator {number}, north tower\nThe cabin stopped between two "
    "floors. The door sensor was cleaned, the drive belt replaced and the brake adjusted.\n"
    "Technician on site for {number} minutes. Elevator released for service again.\n"
)


@pytest.fixture(params=["with the encoder", "without it"], autouse=True)
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to compare texts."""
    if request.param == "without it":
        monkeypatch.setattr(likeness, "installed", lambda: False)


def read(text: str, media_type: str = "text/plain") -> Document:
    """A document of one page."""
    return Document(
        media_type=media_type, pages=(Page(number=1, text=text, source=PageSource.NATIVE),)
    )


def test_documents_like_an_example_get_its_label() -> None:
    """Names that say nothing; one example each is enough for its likes."""
    labels = parse_labels(
        [
            {"name": "A", "examples": [TICKET.format(number=7)]},
            {"name": "B", "examples": ["Minutes of the choir: songs, rehearsals, concert dates."]},
        ]
    )
    result = LexiconClassifier().classify(read(TICKET.format(number=31)), labels)
    assert result.label == "A"
    assert not result.needs_review


def test_examples_change_nothing_for_documents_unlike_them() -> None:
    """Every sample of the other labels keeps its label and its confidence."""
    texts = [path.read_text("utf-8") for path in sorted((SAMPLES / "contract").iterdir())]
    taught = with_examples(None, [("contract", text) for text in texts])
    changed = 0
    for path in sorted(SAMPLES.glob("*/*")):
        if path.parent.name == "contract":
            continue
        document = read(path.read_text("utf-8"), MEDIA_TYPES[path.suffix])
        before = LexiconClassifier().classify(document)
        after = LexiconClassifier().classify(document, taught)
        assert after.label == before.label, path.name
        changed += after.confidence != before.confidence
    assert changed <= 2


def test_a_correction_mends_the_next_document_like_it() -> None:
    """What was taken for something else is right from the second time on."""
    first, second = read(TICKET.format(number=7)), read(TICKET.format(number=12))
    assert LexiconClassifier().classify(second).needs_review
    taught = with_examples(None, [("report", first.text)])
    result = LexiconClassifier().classify(second, taught)
    assert (result.label, result.needs_review) == ("report", False)


def test_examples_of_unknown_labels_are_left_out() -> None:
    """A correction of a job with other labels teaches nothing here; nor does a short text."""
    assert with_examples(None, [("no such label", "text")]) == DEFAULT_LABELS
    taught = with_examples(None, [("memo", "short text")])
    assert example_points(read("short text"), taught) == {}


def test_examples_that_contradict_each_other_do_not_decide() -> None:
    """The same text as an example of two labels leaves them level."""
    text = TICKET.format(number=7)
    taught = with_examples(None, [("report", text), ("form", text)])
    points = example_points(read(text), taught)
    assert points["report"] == points["form"]
