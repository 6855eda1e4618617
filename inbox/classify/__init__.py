"""Say what a document is.

`open_classifier` gives the classifier that the settings ask for: a language model where one is
configured, the embedded lexicon otherwise. LangChain is imported only for a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from inbox.classify.taxonomy import (
    DEFAULT_LABELS,
    LONGEST_EXAMPLE,
    parse_labels,
    with_examples,
)
from inbox.classify.terms import Ledger, MemoryLedger, Terms, Usage, over_budget
from inbox.model import Classification, Document, Label
from inbox.settings import Settings


class Classifier(Protocol):
    """What every classifier does."""

    def classify(
        self,
        document: Document,
        labels: Sequence[Label] | None = None,
        terms: Terms | None = None,
    ) -> Classification:
        """Choose one of `labels` (the default labels if None) for `document`.

        Raises:
            InvalidLabels: the labels cannot be told apart.
            TransientError: a later try may succeed.
            PermanentError: this document cannot be classified.
            StopWork: the work is to stop.
        """
        ...


def open_classifier(settings: Settings) -> Classifier:
    """The classifier that `settings` ask for; nothing is connected yet."""
    if settings.uses_model:
        from inbox.classify.llm import ModelClassifier

        return ModelClassifier(settings)
    from inbox.classify.lexicon import LexiconClassifier

    return LexiconClassifier(settings.review_threshold)


__all__ = [
    "DEFAULT_LABELS",
    "LONGEST_EXAMPLE",
    "Classifier",
    "Ledger",
    "MemoryLedger",
    "Terms",
    "Usage",
    "open_classifier",
    "over_budget",
    "parse_labels",
    "with_examples",
]
