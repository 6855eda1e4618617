"""Where one file seems to hold several documents: a scan of a stack of paper.

Each page but the first is asked whether a document begins there: what it says of its number, how
its words, its running lines and its kind go on from the page before. The weights were set by hand
and scaled on stacks made of public documents; see `docs/classifying.md` for what they reach.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from inbox.classify.cues import default_cues
from inbox.classify.lexicon import LexiconClassifier
from inbox.classify.reading import Reading
from inbox.classify.scoring import score
from inbox.classify.vectors import cosine, weights
from inbox.model import Classification, Document, Label, Page, PageSource, Split

LIKELY = 0.6  # from here on a boundary is proposed
SPLIT_TYPES = frozenset({"application/pdf", "image/tiff"})

_NUMBERED = re.compile(
    r"(?:\b(?:page|seite|p\.|s\.|página|pagina|pág\.|blad|bladzijde|sheet|blatt)\s{0,3})"
    r"(\d{1,4})(?:\s{0,3}(?:of|von|de|di|van|sur|/)\s{0,3}(\d{1,4}))?|"
    r"^\W{0,3}(\d{1,4})\s{0,2}(?:/|of|von|de|di|van|sur)\s{0,2}(\d{1,4})\W{0,3}$",
    re.IGNORECASE | re.MULTILINE,
)
# A letter on either side is an ornament that a font draws there.
_BARE = re.compile(r"^(?:[^\W\d] )?\W{0,4}(\d{1,4})\W{0,4}(?: [^\W\d])?$")
_DIGITS = re.compile(r"\d+")
_EDGE_LINES = 3
_LONGEST_PAGE = 6000  # characters of a page that are looked at
_SHORTEST_RUNNING_LINE = 6
_ENDS = frozenset(".!?:;)\"'”»")


class _Sheet(NamedTuple):
    page: Page
    words: Mapping[str, float]
    top: tuple[str, ...]
    bottom: tuple[str, ...]
    number: int | None
    of: int | None
    bare: int | None
    heads: Mapping[str, float]


def propose_splits(document: Document) -> tuple[Split, ...]:
    """The documents that seem to be in a file, in order; empty where there seems to be one.

    Args:
        document: of a type whose pages are sheets (PDF, TIFF); others are never split.
    """
    if document.media_type not in SPLIT_TYPES or len(document.pages) < 2:  # noqa: PLR2004
        return ()
    begins: list[tuple[int, float | None]] = [(1, None)]
    for number, chance in boundaries(document).items():
        if chance >= LIKELY:
            begins.append((number, round(chance, 4)))
    if len(begins) == 1:
        return ()
    ends = [first - 1 for first, _ in begins[1:]] + [len(document.pages)]
    return tuple(
        Split(first_page=first, last_page=last, confidence=chance)
        for (first, chance), last in zip(begins, ends, strict=True)
    )


def with_splits(
    found: Classification, document: Document, labels: Sequence[Label] | None = None
) -> Classification:
    """What a classifier said, with the documents that seem to be in the file, each with a label.

    The labels of the parts are the lexicon's, whoever labelled the whole. A file that seems to hold
    several documents is marked for review (`several_documents`): no one label is right for it.
    """
    splits = propose_splits(document)
    if not splits:
        return found
    lexicon = LexiconClassifier()
    named = []
    for split in splits:
        pages = document.pages[split.first_page - 1 : split.last_page]
        part = lexicon.classify(document.model_copy(update={"pages": pages}), labels)
        named.append(split.model_copy(update={"label": part.label}))
    return found.model_copy(
        update={
            "needs_review": True,
            "review_reasons": (*found.review_reasons, "several_documents"),
            "details": found.details.model_copy(update={"splits": tuple(named)}),
        }
    )


def boundaries(document: Document) -> dict[int, float]:
    """The probability that a document begins at each page but the first, by its number."""
    found: dict[int, float] = {}
    before: _Sheet | None = None
    seen: Counter[str] = Counter()
    blank_between = False
    for number, page in enumerate(document.pages, 1):
        if not page.text.strip():
            blank_between = True
            if number > 1:
                found[number] = 0.0  # a blank page belongs to what came before it
            continue
        sheet = _sheet(page)
        if before is not None:
            found[number] = _chance(features(before, sheet, seen, blank=blank_between))
            if found[number] >= LIKELY:
                seen.clear()
        elif number > 1:
            found[number] = 0.0
        seen.update({_DIGITS.sub("0", line) for line in (*sheet.top, *sheet.bottom)})
        before, blank_between = sheet, False
    return found


# feature: its weight; a positive one speaks for a beginning
WEIGHTS: Mapping[str, float] = {
    "bias": -3.4,
    "unlike": 5.5,
    "first_of": 2.5,
    "later_of": -5.0,
    "counts_on": -4.0,
    "runs_on": -2.5,
    "same_lines": -3.0,
    "head": 1.5,
    "source": 1.0,
    "blank": 0.5,
}


def features(
    before: _Sheet, sheet: _Sheet, seen: Mapping[str, int], *, blank: bool
) -> dict[str, float]:
    """What speaks for and against a beginning at `sheet`; each 0 to 1."""
    likeness = cosine(before.words, sheet.words)
    edges = {_DIGITS.sub("0", line) for line in (*sheet.top, *sheet.bottom)}
    repeated = sum(1 for line in edges if len(line) >= _SHORTEST_RUNNING_LINE and line in seen)
    counts_on = sheet.number is not None and sheet.number == (before.number or -1) + 1
    bare_on = sheet.bare is not None and sheet.bare == (before.bare or -1) + 1
    return {
        "bias": 1.0,
        "unlike": max(0.0, 1 - likeness / 0.35),
        "first_of": float(sheet.number == 1 and sheet.of != 0),
        "later_of": float(sheet.number is not None and sheet.number > 1),
        "counts_on": float(counts_on or bare_on),
        "runs_on": float(_runs_on(before, sheet)),
        "same_lines": min(repeated, 2) / 2,
        "head": min(max(sheet.heads.values(), default=0.0) / 2.2, 1.0),
        "source": float(
            (before.page.source is PageSource.OCR) != (sheet.page.source is PageSource.OCR)
        ),
        "blank": float(blank),
    }


def _chance(found: Mapping[str, float]) -> float:
    return 1 / (1 + math.exp(-sum(WEIGHTS[name] * value for name, value in found.items())))


def _sheet(page: Page) -> _Sheet:
    text = page.text[:_LONGEST_PAGE]
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    top, bottom = tuple(lines[:_EDGE_LINES]), tuple(lines[-_EDGE_LINES:])
    number, of, bare = _numbers(top, bottom)
    reading = Reading(excerpt=text, media_type="")
    heads = {}
    for kind, cues in default_cues().items():
        only = cues._replace(
            phrases=tuple(group for group in cues.phrases if group.head and group.weight > 0),
            shapes=(),
        )
        heads[kind] = score(only, reading).points
    return _Sheet(page, weights(text), top, bottom, number, of, bare, heads)


def _numbers(
    top: Sequence[str], bottom: Sequence[str]
) -> tuple[int | None, int | None, int | None]:
    bare = None
    for line in (*bottom[::-1], *top):
        if match := _NUMBERED.search(line):
            first, of = match[1] or match[3], match[2] or match[4]
            return int(first), int(of) if of else None, None
        if bare is None and (match := _BARE.match(line)):
            bare = int(match[1])
    return None, None, bare


def _runs_on(before: _Sheet, sheet: _Sheet) -> bool:
    """Whether the text goes on in the middle of a sentence."""
    last = next((line for line in reversed(before.bottom) if not _BARE.match(line)), "")
    first = next((line for line in sheet.top if not _BARE.match(line)), "")
    return bool(last and first) and last[-1] not in _ENDS and first[0].islower()
