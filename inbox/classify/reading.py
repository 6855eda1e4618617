"""What the classifiers look at: a bounded excerpt of a document, prepared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from inbox.classify import layout
from inbox.classify.words import fold
from inbox.model import Document

# The beginning says what a document is, the end holds signatures and totals.
_BEGINNING = 8000
_END = 1500
_TITLE_LINES = 24
_TITLE_WORDS = 8
_TITLE_CHARS = 100
_HEAD_WORDS = 90


@dataclass(frozen=True)
class Reading:
    """A document, ready for cues to be counted.

    Attributes:
        excerpt: the beginning and the end, at most 9,501 characters.
        media_type: type of the file.
    """

    excerpt: str
    media_type: str

    @classmethod
    def of(cls, document: Document) -> Reading:
        """Prepare `document`."""
        return cls(_excerpt(document), document.media_type)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The folded words, in order."""
        return tuple(fold(self.excerpt))

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The different words."""
        return frozenset(self.words)

    @cached_property
    def running(self) -> str:
        """The words joined and surrounded by single spaces."""
        return f" {' '.join(self.words)} "

    @cached_property
    def head(self) -> str:
        """The first words, in the form of `running`."""
        return f" {' '.join(self.words[:_HEAD_WORDS])} "

    @cached_property
    def titles(self) -> str:
        """The short lines near the top, in the form of `running`, parted by bars."""
        lines = (line for line in self.excerpt[:3000].splitlines() if line.strip())
        short = []
        for _, line in zip(range(_TITLE_LINES), lines, strict=False):
            words = fold(line) if len(line.strip()) <= _TITLE_CHARS else []
            if 0 < len(words) <= _TITLE_WORDS:
                short.append(f" {' '.join(words)} ")
        return "|" + "|".join(short) + "|"

    @cached_property
    def shapes(self) -> Mapping[str, float]:
        """The measured layout features."""
        return layout.measure(self.excerpt, self.words, self.media_type)


def _excerpt(document: Document) -> str:
    limit = _BEGINNING + _END
    taken: list[str] = []
    length = 0
    for page in document.pages:
        taken.append(page.text[: limit + 1])
        length += len(taken[-1]) + 1
        if length > limit:
            break
    text = "\n".join(taken)
    if len(text) <= limit:
        return text
    end = ""
    for page in reversed(document.pages):
        end = page.text[-_END:] + "\n" + end
        if len(end) > _END:
            break
    return text[:_BEGINNING] + "\n" + end[-_END - 1 : -1]
