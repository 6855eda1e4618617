"""Classify with a language model, and believe it no further than it can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inbox.classify import model_call, prompt, quality, verify
from inbox.classify.confidence import THRESHOLD, probabilities
from inbox.classify.injection import speaks_to_model
from inbox.classify.lexicon import no_text, review_reasons, score_labels
from inbox.classify.reading import Reading
from inbox.classify.taxonomy import DEFAULT_LABELS, check_labels
from inbox.model import Alternative, Classification, Document, Evidence, Label
from inbox.settings import Settings

# How often a model is taken to be right before the lexicon is heard. A model's own word about its
# confidence is not asked for: it says nothing.
_RIGHT_WITH_EVIDENCE = 0.92
_RIGHT_WITHOUT_EVIDENCE = 0.60
_LEAST_OPINION = 0.005
_MOST_ALTERNATIVES = 3


class ModelClassifier:
    """Asks a model, checks its quotes and compares its answer with the lexicon's."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings; nothing is imported or connected yet."""
        self._settings = settings
        self._version = f"llm-{prompt.PROMPT_VERSION}:{settings.model}"

    def classify(self, document: Document, labels: Sequence[Label] | None = None) -> Classification:
        """Choose one of `labels`, or of the default labels.

        Raises:
            InvalidLabels: the labels cannot be told apart.
            ModelUnavailable: the server does not answer; a later try may succeed.
            ModelRejected: the server refuses such requests.
            ModelRefused: the model declined to answer.
            ModelAnswerInvalid: the answer does not follow the schema.
        """
        wanted = DEFAULT_LABELS if labels is None else tuple(labels)
        check_labels(wanted)
        reading = Reading.of(document)
        read = quality.judge(document, reading)
        if not document.text.strip():
            return no_text(self._version, ("unreadable_pages",) if read.unreadable_pages else ())
        answer = model_call.ask(
            self._settings,
            prompt.answer_type(tuple(label.name for label in wanted)),
            prompt.messages(document, wanted),
        )
        evidence = verify.find_quotes(document, answer.evidence)
        scores = score_labels(reading, labels)
        opinion = probabilities({name: found.points for name, found in scores.items()})
        chances = _together(answer.label, opinion, found=bool(evidence))
        reasons = (
            *review_reasons(read, chances[answer.label]),
            *_doubts(answer, evidence, opinion, speaks_to_model(document.text)),
        )
        return Classification(
            label=answer.label,
            confidence=round(chances[answer.label], 4),
            evidence=evidence,
            needs_review=bool(reasons),
            review_reasons=reasons,
            alternatives=tuple(
                Alternative(label=name, confidence=round(chances[name], 4))
                for name in sorted(chances, key=lambda name: -chances[name])[:_MOST_ALTERNATIVES]
            ),
            classifier=self._version,
        )


def _together(label: str, opinion: Mapping[str, float], *, found: bool) -> dict[str, float]:
    """The two opinions as independent witnesses: their probabilities multiply."""
    right = _RIGHT_WITH_EVIDENCE if found else _RIGHT_WITHOUT_EVIDENCE
    wrong = (1 - right) / max(len(opinion) - 1, 1)
    joint = {
        name: (right if name == label else wrong) * max(chance, _LEAST_OPINION)
        for name, chance in opinion.items()
    }
    total = sum(joint.values())
    return {name: value / total for name, value in joint.items()}


def _doubts(
    answer: prompt.Answer,
    evidence: Sequence[Evidence],
    opinion: Mapping[str, float],
    steered: bool,  # noqa: FBT001
) -> tuple[str, ...]:
    second = max(opinion, key=lambda name: opinion[name])
    claimed = [quote for quote in answer.evidence if quote.strip()]
    checks = (
        ("second_opinion_differs", second != answer.label and opinion[second] >= THRESHOLD),
        ("no_evidence", not evidence),
        ("invented_quote", len(evidence) < min(len(set(claimed)), verify.MOST_QUOTES)),
        ("instructions_in_text", steered),
    )
    return tuple(code for code, holds in checks if holds)
