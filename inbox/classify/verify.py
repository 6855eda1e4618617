"""Evidence: quotes that stand verbatim in the document."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, islice
from typing import NamedTuple

from inbox.classify import patterns
from inbox.classify.words import fold, plain
from inbox.model import Document, Evidence

MOST_QUOTES = 3
LONGEST_QUOTE = 200
_SHORTEST_QUOTE = 3
_SEARCHED = 60_000  # characters of a document that are searched for evidence
_LONGEST_LINE = 2000
_MOST_WANTED = 10
_LONGEST_WANTED = 1000
_SOLID = re.compile(r"\S+")


class _Line(NamedTuple):
    page: int
    text: str
    points: float
    phrases: frozenset[str]


def stands(document: Document, evidence: Evidence) -> bool:
    """Whether the quote stands, character for character, on the page it names."""
    if not evidence.quote.strip() or not 1 <= evidence.page <= len(document.pages):
        return False
    return evidence.quote in document.pages[evidence.page - 1].text


def quote_lines(
    document: Document, points: Mapping[str, float], shapes: Mapping[str, float]
) -> tuple[Evidence, ...]:
    """The lines that hold the weightiest phrases, at most three, best first.

    Args:
        document: where to look.
        points: what each phrase is worth; folded words surrounded by single spaces.
        shapes: what each layout feature is worth; those that are seen in one line count.
    """
    lines = sorted(_scored_lines(document, points, shapes), key=lambda line: -line.points)
    quotes: list[Evidence] = []
    seen: set[str] = set()
    for line in lines:
        if len(quotes) == MOST_QUOTES:
            break
        if line.phrases <= seen:
            continue
        seen |= line.phrases
        quotes.append(Evidence(quote=line.text, page=line.page))
    return tuple(quotes)


def find_quotes(document: Document, wanted: Iterable[str]) -> tuple[Evidence, ...]:
    """What stands on the pages where `wanted` says something stands.

    Runs of white space and case may differ between a wanted quote and the page; what is returned is
    always the page's own text, cut to 200 characters. Quotes that stand nowhere are left out.
    """
    finder = Finder(document)
    found: list[Evidence] = []
    for quote in islice(wanted, _MOST_WANTED):
        evidence = finder.find(quote)
        if evidence is not None and evidence not in found:
            found.append(evidence)
        if len(found) == MOST_QUOTES:
            break
    return tuple(found)


class Finder:
    """Finds many quotes in one document."""

    def __init__(self, document: Document) -> None:
        self._pages = [_Flat(page.text) for page in document.pages]

    def find(self, quote: str) -> Evidence | None:
        """Where `quote` stands first, in the page's own characters; see `find_quotes`."""
        words = quote[:_LONGEST_WANTED].split()
        if len("".join(words)) < _SHORTEST_QUOTE:
            return None
        for number, page in enumerate(self._pages, 1):
            stretch = page.find(words)
            if stretch is not None:
                return Evidence(quote=stretch[:LONGEST_QUOTE].rstrip(), page=number)
        return None


class _Flat:
    """A page in lower case with single spaces, and the way back to the page's own characters."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return [word.span() for word in _SOLID.finditer(self._text)]

    @cached_property
    def _flat(self) -> str:
        return " ".join(_lower(self._text[start:end]) for start, end in self._spans)

    @cached_property
    def _starts(self) -> list[int]:
        lengths = (end - start + 1 for start, end in self._spans)
        return list(accumulate(lengths, initial=0))

    def find(self, words: Sequence[str]) -> str | None:
        wanted = " ".join(map(_lower, words))
        at = self._flat.find(wanted)
        if at < 0:
            return None
        return self._text[self._own(at) : self._own(at + len(wanted) - 1) + 1]

    def _own(self, at: int) -> int:
        word = bisect_right(self._starts, at) - 1
        return self._spans[word][0] + at - self._starts[word]


def _lower(word: str) -> str:
    lowered = word.lower()
    # Where lower case has another length, positions would no longer agree.
    return lowered if len(lowered) == len(word) else word


def _scored_lines(
    document: Document, points: Mapping[str, float], shapes: Mapping[str, float]
) -> Iterator[_Line]:
    left = _SEARCHED
    drawn = {name: worth for name, worth in shapes.items() if name in patterns.SEEN_IN_A_LINE}
    for index, page in enumerate(document.pages, 1):
        if left <= 0:
            return
        yield from _page_lines(index, page.text[:left], points, drawn)
        left -= len(page.text)


def _page_lines(
    index: int, page_text: str, points: Mapping[str, float], shapes: Mapping[str, float]
) -> Iterator[_Line]:
    vocabulary = set(fold(page_text))
    possible = [phrase for phrase in points if phrase.split()[0] in vocabulary]
    for line in page_text.splitlines():
        text = line.strip()[:_LONGEST_LINE]
        if len(text) < _SHORTEST_QUOTE:
            continue
        running = f" {' '.join(fold(text))} "
        said = {phrase: points[phrase] for phrase in possible if phrase in running}
        said |= {
            name: worth
            for name, worth in shapes.items()
            if patterns.SEEN_IN_A_LINE[name].search(text)
        }
        if said:
            # Of two equal lines the earlier one is quoted.
            total = sum(said.values()) - 0.001 * index
            yield _Line(index, _around(text, said), total, frozenset(said))


def _around(text: str, phrases: Iterable[str]) -> str:
    if len(text) <= LONGEST_QUOTE:
        return text
    longest = max(phrases, key=lambda phrase: (len(phrase), phrase)).split()
    lowered = plain(text)
    # Folding can change lengths; where it does, the position is only a good guess.
    at = max(lowered.find(longest[0]), 0)
    start = max(0, min(at - LONGEST_QUOTE // 3, len(text) - LONGEST_QUOTE))
    piece = text[start : start + LONGEST_QUOTE]
    if start:
        piece = piece[piece.find(" ") + 1 :]
    if start + LONGEST_QUOTE < len(text) and " " in piece:
        piece = piece[: piece.rfind(" ")]
    return piece.strip()
