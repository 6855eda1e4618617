"""Whether a text can be relied upon: how garbled the reading looks."""

# ruff: noqa: RUF001 - real documents have such dashes and quotation marks

from __future__ import annotations

import re
from typing import NamedTuple

from inbox.classify.reading import Reading
from inbox.classify.words import FUNCTION_WORDS
from inbox.model import Document, Page, PageSource

FEWEST_WORDS = 8
_GARBLED_SHARE = 0.75
_HOPELESS_SHARE = 0.50  # a person would not read it either
_GARBLED_CONFIDENCE = 0.60  # mean word confidence under which pages are mostly misread
_CODED_TYPES = frozenset({"message/rfc822", "application/vnd.ms-outlook"})  # links, not misreading
_FEWEST_TOKENS = 12

_NUMBER = re.compile(r"[(\[$€£#+~<>=-]*\d[\d.,:/%'x*-]*[A-Za-z]{0,3}[)\].,;:!?%]*")
_EDGES = re.compile(r"^[^\w]+|[^\w]+$")
_PARTS = re.compile(r"[-/'’.@_:,&()+=|]+")
_VOWEL = re.compile(r"[aeiouyà-öø-ÿāēīōūăęąěůőű]", re.IGNORECASE)
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}", re.IGNORECASE)
_CASE_SWITCH = re.compile(r"[a-zß-öø-ÿ][A-ZÀ-ÖØ-Þ]|[A-Z]{2}[a-z]{1,2}[A-Z]")
_LONGEST_ACRONYM = 6
_LONGEST_WORD = 28
_LOOSE_MARKS = frozenset("-–—•·*&+/|=:.,>#%@_□☐☑☒§©®™°\"'“”‘’()")


class Quality(NamedTuple):
    """What can be said about the reading of a document.

    Attributes:
        plausible: share of tokens that look like words or numbers of any language, 0 to 1.
        confidence: mean word confidence of the pages that OCR read, weighted by length; None where
            no page says.
        words: how many words the excerpt has.
        unreadable_pages: whether a page shows something that no engine could read.
    """

    plausible: float
    confidence: float | None
    words: int
    unreadable_pages: bool

    @property
    def garbled(self) -> bool:
        """Whether much of the text is noise: only strong cues count then."""
        low = self.confidence is not None and self.confidence < _GARBLED_CONFIDENCE
        return low or self.plausible < _GARBLED_SHARE

    @property
    def hopeless(self) -> bool:
        """Whether the text is more noise than words."""
        return self.plausible < _HOPELESS_SHARE


def judge(document: Document, reading: Reading) -> Quality:
    """Measure how well `document` was read."""
    return Quality(
        plausible=1.0 if document.media_type in _CODED_TYPES else plausible_share(reading.excerpt),
        confidence=_confidence(document.pages),
        words=len(reading.words),
        unreadable_pages=any(page.source is PageSource.UNREADABLE for page in document.pages),
    )


def plausible_share(text: str) -> float:
    """Share of the tokens in `text` that look like words or numbers; 1 for very short texts."""
    tokens = [token for token in text.split() if "<<" not in token]
    if len(tokens) < _FEWEST_TOKENS:
        return 1.0
    return sum(_plausible(token) for token in tokens) / len(tokens)


def _plausible(token: str) -> bool:
    if _NUMBER.fullmatch(token):
        return True
    if all(char in _LOOSE_MARKS for char in token):
        return len(token) == 1 or len(set(token)) == 1
    return all(_wordlike(part) for part in _PARTS.split(_EDGES.sub("", token)) if part)


def _wordlike(part: str) -> bool:
    if not part.isalpha() or len(part) > _LONGEST_WORD:
        # digits, reference numbers
        return part.isdigit() or (part.isalnum() and part.upper() == part and len(part) > 1)
    has_vowel = bool(_VOWEL.search(part))
    if len(part) == 1:
        return part.lower() in FUNCTION_WORDS or part.isupper()
    if part.isupper():
        return has_vowel or len(part) <= _LONGEST_ACRONYM
    if not part.isascii() and not has_vowel:
        return True  # a script this module knows nothing about
    return has_vowel and not _CONSONANTS.search(part) and not _CASE_SWITCH.search(part)


def _confidence(pages: tuple[Page, ...]) -> float | None:
    read = [(page.confidence, len(page.text)) for page in pages if page.confidence is not None]
    length = sum(size for _, size in read)
    if not length:
        return None
    return sum(confidence * size for confidence, size in read) / length
