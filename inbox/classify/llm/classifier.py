"""Classify with a language model, and believe it no further than it can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inbox.classify import quality, verify
from inbox.classify.confidence import THRESHOLD, probabilities
from inbox.classify.injection import hostile_reasons
from inbox.classify.lexicon import (
    LexiconClassifier,
    has_text,
    no_text,
    review_reasons,
    score_labels,
)
from inbox.classify.llm import facts, prices
from inbox.classify.llm.call import Caller
from inbox.classify.llm.prompt import PROMPT_VERSION, Answer, Question
from inbox.classify.llm.redact import Redaction
from inbox.classify.reading import Reading
from inbox.classify.taxonomy import DEFAULT_LABELS, check_labels
from inbox.classify.terms import Terms
from inbox.errors import (
    BudgetExceeded,
    ModelAnswerInvalid,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)
from inbox.model import Alternative, Classification, Document, Evidence, FileDetails, Label
from inbox.settings import Settings

# How often a model is taken to be right before the lexicon is heard. A model's own word about its
# confidence is not asked for: it says nothing.
_RIGHT_WITH_EVIDENCE = 0.92
_RIGHT_WITHOUT_EVIDENCE = 0.60
_LEAST_OPINION = 0.005
_MOST_ALTERNATIVES = 3
_LONGEST_SUMMARY = 600
_NO_ANSWER = (
    BudgetExceeded,
    ModelAnswerInvalid,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
)


class ModelClassifier:
    """Asks a model, checks its quotes and compares its answer with the lexicon's."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings; nothing is imported or connected yet."""
        self._settings = settings
        self._version = f"llm-{PROMPT_VERSION}:{settings.model}"
        self._caller = Caller(settings)
        self._lexicon = LexiconClassifier(settings.review_threshold)
        self._own_terms = Terms(redact=settings.model_redact)

    def classify(
        self,
        document: Document,
        labels: Sequence[Label] | None = None,
        terms: Terms | None = None,
    ) -> Classification:
        """Choose one of `labels`, or of the default labels.

        Where the settings say so, the lexicon answers for a model that gives no answer.

        Raises:
            InvalidLabels: the labels cannot be told apart.
            ModelUnavailable: the server does not answer; a later try may succeed.
            ModelRejected: the server refuses such requests.
            ModelRefused: the model declined to answer.
            ModelAnswerInvalid: the answer does not follow the schema.
            BudgetExceeded: the call could cost more than may be spent.
            StopWork: the work is to stop.
        """
        check_labels(DEFAULT_LABELS if labels is None else labels)
        if not has_text(document):
            return no_text(self._version, document)
        try:
            return self._by_model(document, labels, terms or self._own_terms)
        except _NO_ANSWER as error:
            if self._settings.model_fallback != "lexicon":
                raise
            code = error.code
        found = self._lexicon.classify(document, labels)
        return found.model_copy(
            update={
                "needs_review": True,
                "review_reasons": (*found.review_reasons, code),
                "classifier": f"{found.classifier} for {self._version}",
            }
        )

    def estimate(
        self,
        documents: Sequence[Document],
        labels: Sequence[Label] | None = None,
        terms: Terms | None = None,
    ) -> prices.Estimate:
        """What classifying these documents will take; nobody is asked.

        Raises:
            InvalidLabels: the labels cannot be told apart.
        """
        check_labels(DEFAULT_LABELS if labels is None else labels)
        return prices.estimate(
            [
                self._question(document, labels, terms or self._own_terms)[0].text
                for document in documents
                if has_text(document)
            ],
            prices.price_of(self._settings.model, self._settings.model_prices),
            self._settings.model_max_output_tokens,
        )

    def _question(
        self, document: Document, labels: Sequence[Label] | None, terms: Terms
    ) -> tuple[Question, Redaction | None]:
        redaction = Redaction(document) if terms.redact else None
        question = Question(
            redaction.document if redaction else document,
            DEFAULT_LABELS if labels is None else labels,
            facts.DEFAULT_FIELDS if terms.fields is None else terms.fields,
        )
        return question, redaction

    def _by_model(
        self, document: Document, labels: Sequence[Label] | None, terms: Terms
    ) -> Classification:
        question, redaction = self._question(document, labels, terms)
        asked = self._caller.ask(question, terms)
        answer = asked.answer
        restore = redaction.restore if redaction else str
        wanted = facts.DEFAULT_FIELDS if terms.fields is None else terms.fields
        checked = facts.check(
            getattr(answer, "fields", []), wanted, verify.Finder(document), restore
        )
        evidence = verify.find_quotes(document, map(restore, answer.evidence))
        reading = Reading.of(document)
        read = quality.judge(document, reading)
        scores = score_labels(reading, labels)
        opinion = probabilities({name: found.points for name, found in scores.items()})
        chances = _together(answer.label, opinion, found=bool(evidence))
        reasons = (
            *review_reasons(read, chances[answer.label], self._settings.review_threshold),
            *_doubts(answer, evidence, opinion),
            *hostile_reasons(document),
            *(("field_not_in_text",) if checked.dropped else ()),
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
            details=FileDetails(
                summary=" ".join(restore(answer.summary).split())[:_LONGEST_SUMMARY] or None,
                fields=checked.found,
                cost=asked.cost,
            ),
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
    answer: Answer,
    evidence: Sequence[Evidence],
    opinion: Mapping[str, float],
) -> tuple[str, ...]:
    second = max(opinion, key=lambda name: opinion[name])
    claimed = [quote for quote in answer.evidence if quote.strip()]
    checks = (
        ("second_opinion_differs", second != answer.label and opinion[second] >= THRESHOLD),
        ("no_evidence", not evidence),
        ("invented_quote", len(evidence) < min(len(set(claimed)), verify.MOST_QUOTES)),
    )
    return tuple(code for code, holds in checks if holds)
