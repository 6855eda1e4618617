"""How good a classifier is on documents whose labels are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pydantic import Field

from inbox.classify.confidence import expected_calibration_error
from inbox.model import Fraction, Value

BINS = 10
SHARES = (0.05, 0.10, 0.20, 0.30, 0.50)


class Outcome(Value):
    """What was said of one document.

    Attributes:
        number: its place in the list that was evaluated, from 1.
        expected: the label that it has.
        found: the label that it was given; None where there was none.
        confidence: of that label; None counts as 0.
        needs_review: whether the classifier asked for a person.
        source: where the document comes from, where that is known.
    """

    number: int
    expected: str
    found: str | None
    confidence: Fraction | None = None
    needs_review: bool = False
    source: str | None = None

    @property
    def right(self) -> bool:
        """Whether the label is the expected one."""
        return self.found == self.expected


class LabelFigures(Value):
    """How one label fares; precision is None where it was never given."""

    label: str
    documents: int
    precision: Fraction | None
    recall: Fraction | None
    f1: Fraction


class Bin(Value):
    """Documents of like confidence, for a reliability diagram."""

    low: Fraction
    high: Fraction
    documents: int
    confidence: Fraction
    accuracy: Fraction


class ReviewRow(Value):
    """Reviewing the least confident `share` of the documents catches `caught` of the errors."""

    share: Fraction
    threshold: Fraction
    caught: Fraction


class Filing(Value):
    """What is filed without a person: how much of all, and how much of that is right.

    Attributes:
        threshold: the confidence from which on a label is filed; None where the classifier's own
            `needs_review` decides, or where no threshold reaches the target.
        coverage: share of the documents that are filed.
        precision: share of those that are right; None where nothing is filed.
        caught: share of all errors that a person sees.
    """

    threshold: Fraction | None
    coverage: Fraction
    precision: Fraction | None
    caught: Fraction | None


class SourceFigures(Value):
    """How the documents of one source fare, with the threshold that all others ask for."""

    source: str
    documents: int
    accuracy: Fraction
    filing: Filing


class LeftOut(Value):
    """Each source judged by what the others teach.

    Attributes:
        accuracy: mean over the sources, each counting once however many documents it has.
        filing: all documents, each filed by the threshold that the other sources ask for.
        sources: one by one, the worst first.
    """

    accuracy: Fraction
    filing: Filing
    sources: tuple[SourceFigures, ...]


class Evaluation(Value):
    """The figures; see `evaluate`.

    Attributes:
        accuracy: share of the documents whose label is right.
        macro_f1: mean F1 of the labels that some document has.
        calibration_error: mean distance of confidence and accuracy over ten bins.
        confusion: how often each expected label was given which; "" stands for none.
        review: what reviewing a share of the documents catches.
        marked: what is filed where `needs_review` decides.
        target_precision: what was asked for.
        target: what is filed with the lowest threshold that reaches it on these documents.
        left_out: the same by sources; None where fewer than two are named.
    """

    documents: int
    unreadable: int = 0
    accuracy: Fraction
    macro_f1: Fraction
    calibration_error: Fraction
    labels: tuple[LabelFigures, ...]
    confusion: dict[str, dict[str, int]]
    reliability: tuple[Bin, ...]
    review: tuple[ReviewRow, ...]
    marked: Filing
    target_precision: Fraction
    target: Filing
    left_out: LeftOut | None = Field(default=None)


def evaluate(
    outcomes: Sequence[Outcome], target_precision: float = 0.95, unreadable: int = 0
) -> Evaluation:
    """Measure what was said of some documents.

    Args:
        outcomes: one a document; at least one.
        target_precision: what filing without a person is to reach, 0 to 1.
        unreadable: how many more documents could not be read.

    Raises:
        ValueError: there is no outcome.
    """
    if not outcomes:
        raise ValueError("nothing to evaluate")
    right = [each.right for each in outcomes]
    figures = _label_figures(outcomes)
    threshold = threshold_for(outcomes, target_precision)
    return Evaluation(
        documents=len(outcomes),
        unreadable=unreadable,
        accuracy=_mean(right),
        macro_f1=_mean([each.f1 for each in figures if each.documents]),
        calibration_error=min(
            expected_calibration_error([_confidence(each) for each in outcomes], right, BINS), 1.0
        ),
        labels=figures,
        confusion=_confusion(outcomes),
        reliability=_bins(outcomes),
        review=_review(outcomes),
        marked=_filing(outcomes, lambda each: not each.needs_review, None),
        target_precision=target_precision,
        target=_by_threshold(outcomes, threshold),
        left_out=_left_out(outcomes, target_precision),
    )


def threshold_for(outcomes: Sequence[Outcome], target_precision: float) -> float | None:
    """The lowest confidence from which on labels are right often enough; None where there is none.

    Documents that are marked for review for another reason than their confidence count as well:
    the threshold must hold by itself.
    """
    ranked = sorted(outcomes, key=lambda each: -_confidence(each))
    found: float | None = None
    right = 0
    for count, each in enumerate(ranked, 1):
        right += each.right
        last = count == len(ranked) or _confidence(ranked[count]) < _confidence(each)
        if last and right >= target_precision * count:
            found = _confidence(each)
    return found


def _confidence(outcome: Outcome) -> float:
    return outcome.confidence or 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _label_figures(outcomes: Sequence[Outcome]) -> tuple[LabelFigures, ...]:
    expected = Counter(each.expected for each in outcomes)
    found = Counter(each.found for each in outcomes if each.found is not None)
    right = Counter(each.expected for each in outcomes if each.right)
    return tuple(
        LabelFigures(
            label=label,
            documents=expected[label],
            precision=right[label] / found[label] if found[label] else None,
            recall=right[label] / expected[label] if expected[label] else None,
            f1=2 * right[label] / (expected[label] + found[label]),
        )
        for label in sorted(expected.keys() | found.keys())
    )


def _confusion(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for each in sorted(outcomes, key=lambda each: (each.expected, each.found or "")):
        row = table.setdefault(each.expected, {})
        row[each.found or ""] = row.get(each.found or "", 0) + 1
    return table


def _bins(outcomes: Sequence[Outcome]) -> tuple[Bin, ...]:
    cells: list[list[Outcome]] = [[] for _ in range(BINS)]
    for each in outcomes:
        cells[min(int(_confidence(each) * BINS), BINS - 1)].append(each)
    return tuple(
        Bin(
            low=number / BINS,
            high=(number + 1) / BINS,
            documents=len(cell),
            confidence=_mean([_confidence(each) for each in cell]),
            accuracy=_mean([each.right for each in cell]),
        )
        for number, cell in enumerate(cells)
        if cell
    )


def _review(outcomes: Sequence[Outcome]) -> tuple[ReviewRow, ...]:
    ranked = sorted(outcomes, key=_confidence)
    errors = sum(not each.right for each in ranked)
    rows = []
    for share in SHARES:
        seen = ranked[: round(share * len(ranked))]
        caught = sum(not each.right for each in seen) / errors if errors else 1.0
        rows.append(
            ReviewRow(share=share, threshold=_confidence(seen[-1]) if seen else 0.0, caught=caught)
        )
    return tuple(rows)


def _by_threshold(outcomes: Sequence[Outcome], threshold: float | None) -> Filing:
    if threshold is None:
        return _filing(outcomes, lambda _: False, None)
    return _filing(outcomes, lambda each: _confidence(each) >= threshold, threshold)


def _filing(
    outcomes: Sequence[Outcome], filed: Callable[[Outcome], bool], threshold: float | None
) -> Filing:
    alone = [each.right for each in outcomes if filed(each)]
    errors = sum(not each.right for each in outcomes)
    missed = sum(not right for right in alone)
    return Filing(
        threshold=threshold,
        coverage=len(alone) / len(outcomes),
        precision=_mean(alone) if alone else None,
        caught=(errors - missed) / errors if errors else None,
    )


def _left_out(outcomes: Sequence[Outcome], target_precision: float) -> LeftOut | None:
    sources = sorted({each.source for each in outcomes if each.source is not None})
    if len(sources) < 2 or any(each.source is None for each in outcomes):  # noqa: PLR2004
        return None
    thresholds = {
        source: threshold_for(
            [each for each in outcomes if each.source != source], target_precision
        )
        for source in sources
    }

    def filed(outcome: Outcome) -> bool:
        threshold = thresholds[outcome.source or ""]
        return threshold is not None and _confidence(outcome) >= threshold

    figures = []
    for source in sources:
        own = [each for each in outcomes if each.source == source]
        figures.append(
            SourceFigures(
                source=source,
                documents=len(own),
                accuracy=_mean([each.right for each in own]),
                filing=_by_threshold(own, thresholds[source]),
            )
        )
    return LeftOut(
        accuracy=_mean([each.accuracy for each in figures]),
        filing=_filing(outcomes, filed, None),
        sources=tuple(sorted(figures, key=lambda each: (each.accuracy, each.source))),
    )
