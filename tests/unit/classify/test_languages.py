"""Invoices, receipts, bank statements and letters in five languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbox.classify.lexicon import LexiconClassifier
from inbox.model import Document, Page, PageSource

PATHS = sorted((Path(__file__).parent / "languages").glob("*/*.txt"))


@pytest.mark.parametrize("plain", [False, True], ids=["as written", "accents lost"])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_everyday_papers_are_known_in_five_languages(path: Path, plain: bool) -> None:
    """German, French, Spanish, Italian and Dutch: the right label, and nobody needs to look.

    Also where the scan lost every accented letter.
    """
    text = path.read_text("utf-8")
    if plain:
        text = text.encode("ascii", "ignore").decode()
    page = Page(number=1, text=text, source=PageSource.NATIVE)
    result = LexiconClassifier().classify(Document(media_type="text/plain", pages=(page,)))
    assert (result.label, result.needs_review) == (path.parent.name, False)
    assert result.evidence


def test_no_language_is_missing() -> None:
    """Four kinds in five languages."""
    assert len(PATHS) == 20
