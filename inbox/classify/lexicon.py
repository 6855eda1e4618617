"""The embedded classifier: weighted cues and what was learned beside them; no network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from inbox.classify import derive, likeness, quality, verify
from inbox.classify.confidence import GARBLED_THRESHOLD, THRESHOLD, probabilities
from inbox.classify.defaults import cue_scores, default_scores
from inbox.classify.examples import example_points
from inbox.classify.injection import hostile_reasons
from inbox.classify.learned import of_meaning
from inbox.classify.reading import Reading
from inbox.classify.scoring import Found, Score
from inbox.classify.taxonomy import check_labels, is_default
from inbox.classify.terms import Terms
from inbox.model import Alternative, Classification, Document, Evidence, Label, Page, PageSource

VERSION = "lexicon-2"
_MOST_ALTERNATIVES = 3


class LexiconClassifier:
    """Says what a document is by the words and the layout that such documents share.

    Args:
        threshold: the confidence under which a person is asked to look.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold

    def classify(
        self,
        document: Document,
        labels: Sequence[Label] | None = None,
        terms: Terms | None = None,  # noqa: ARG002 - a lexicon costs nothing
    ) -> Classification:
        """Choose one of `labels`, or of the default labels.

        Raises:
            InvalidLabels: the labels cannot be told apart.
        """
        if labels is not None:
            check_labels(labels)
        if not has_text(document):
            return no_text(VERSION, document)
        reading = Reading.of(document)
        scores = score_labels(reading, labels)
        for label, points in example_points(document, labels or ()).items():
            scores[label] = scores[label]._replace(points=scores[label].points + points)
        chances = probabilities({label: result.points for label, result in scores.items()})
        ranked = sorted(chances, key=lambda label: -chances[label])
        best = ranked[0]
        judged = quality.judge(document, reading)
        reasons = (
            *review_reasons(judged, chances[best], self._threshold),
            *hostile_reasons(document),
        )
        return Classification(
            label=best,
            confidence=round(chances[best], 4),
            evidence=_evidence(document, scores[best], labels, best),
            needs_review=bool(reasons),
            review_reasons=reasons,
            alternatives=tuple(
                Alternative(label=label, confidence=round(chances[label], 4))
                for label in ranked[:_MOST_ALTERNATIVES]
            ),
            classifier=VERSION,
        )


def score_labels(reading: Reading, labels: Sequence[Label] | None) -> dict[str, Score]:
    """The score of every label, by its name as the caller spells it."""
    if labels is None or is_default(labels):
        return default_scores(reading, cue_scores(reading))
    return derive.score_own(reading, labels)


def review_reasons(
    read: quality.Quality, confidence: float, threshold: float = THRESHOLD
) -> tuple[str, ...]:
    """Why a person should look at a result, as stable codes; empty where nobody needs to."""
    checks = (
        ("low_confidence", confidence < threshold),
        ("little_text", read.words < quality.FEWEST_WORDS),
        ("garbled_text", read.hopeless or (read.garbled and confidence < GARBLED_THRESHOLD)),
        ("unreadable_pages", read.unreadable_pages),
    )
    return tuple(code for code, holds in checks if holds)


def has_text(document: Document) -> bool:
    """Whether anything could be read."""
    return any(page.text.strip() for page in document.pages)


def no_text(classifier: str, document: Document) -> Classification:
    """The result for a document that nothing could be read from."""
    unreadable = any(page.source is PageSource.UNREADABLE for page in document.pages)
    return Classification(
        label=None,
        confidence=None,
        needs_review=True,
        review_reasons=("no_text", "unreadable_pages") if unreadable else ("no_text",),
        classifier=classifier,
    )


def _evidence(
    document: Document, found: Score, labels: Sequence[Label] | None, best: str
) -> tuple[Evidence, ...]:
    quotes = verify.quote_lines(document, _worth(found.found), dict(found.shapes))
    if quotes or labels is None or is_default(labels) or not likeness.installed():
        return quotes
    # The label was told by likeness of meaning alone.
    label = next(label for label in labels if label.name == best)
    line = likeness.likest_line(document.text, label.name, label.description)
    return () if line is None else verify.find_quotes(document, [line])


def _worth(found: Sequence[Found]) -> Mapping[str, float]:
    worth: dict[str, float] = {}
    for phrase, points in found:
        worth[phrase] = max(worth.get(phrase, 0.0), points)
    return worth


def warm_up() -> None:
    """Load what the default labels need, so that this process and its forks have it.

    Where the sentence encoder is installed, that is 120 MB and a second of processor time.
    """
    # A library's threads would not be there after a fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    page = Page(number=1, text="Dear Sir or Madam", source=PageSource.NATIVE)
    LexiconClassifier().classify(Document(media_type="text/plain", pages=(page,)))
    if likeness.installed():
        of_meaning(page.text)
