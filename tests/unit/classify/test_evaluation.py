"""The figures of a classifier, and their picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from inbox.classify.evaluation import Outcome, evaluate, threshold_for
from inbox.classify.picture import draw


def outcomes(*given: tuple[str, str | None, float], **more: object) -> list[Outcome]:
    """Outcomes from (expected, found, confidence)."""
    return [
        Outcome(number=number, expected=expected, found=found, confidence=confidence, **more)
        for number, (expected, found, confidence) in enumerate(given, 1)
    ]


MIXED = outcomes(
    ("a", "a", 0.9), ("a", "a", 0.8), ("a", "b", 0.6), ("b", "b", 0.7), ("b", None, 0.0)
)


def test_the_figures_are_those_of_the_textbook() -> None:
    """Accuracy, macro-F1, precision, recall and confusion, computed by hand."""
    found = evaluate(MIXED)
    assert found.documents == 5
    assert found.accuracy == pytest.approx(3 / 5)
    a, b = found.labels
    assert (a.label, a.precision, a.recall) == ("a", 1.0, pytest.approx(2 / 3))
    assert (b.label, b.precision, b.recall) == ("b", 0.5, 0.5)
    assert found.macro_f1 == pytest.approx((0.8 + 0.5) / 2)
    assert found.confusion == {"a": {"a": 2, "b": 1}, "b": {"": 1, "b": 1}}


def test_calibration_error_weighs_bins_by_their_size() -> None:
    """Four documents said to be .9 sure of which half are right are off by .4."""
    found = evaluate(outcomes(*[("a", "a", 0.9)] * 2, *[("a", "b", 0.9)] * 2))
    assert found.calibration_error == pytest.approx(0.4)
    assert [(each.documents, each.accuracy) for each in found.reliability] == [(4, 0.5)]


def test_the_threshold_is_the_lowest_that_reaches_the_target() -> None:
    """Below it are errors; equal confidences are not torn apart."""
    ranked = outcomes(("a", "a", 0.9), ("a", "a", 0.8), ("a", "b", 0.5), ("a", "a", 0.5))
    assert threshold_for(ranked, 0.95) == 0.8
    assert threshold_for(ranked, 0.75) == 0.5
    assert threshold_for(outcomes(("a", "b", 0.9)), 0.95) is None
    filing = evaluate(ranked).target
    assert (filing.coverage, filing.precision, filing.caught) == (0.5, 1.0, 1.0)


def test_reviewing_the_least_sure_first_catches_errors() -> None:
    """Ten documents, the two least sure of which are the errors: 10 % → half, 20 % → all."""
    given = [("a", "b", 0.1), ("a", "b", 0.2), *[("a", "a", 0.9)] * 8]
    rows = {row.share: row.caught for row in evaluate(outcomes(*given)).review}
    assert (rows[0.1], rows[0.2], rows[0.5]) == (0.5, 1.0, 1.0)


def test_what_is_marked_for_review_is_not_filed() -> None:
    """Coverage and precision of the classifier's own marks."""
    marked = outcomes(("a", "b", 0.9), needs_review=True) + outcomes(("a", "a", 0.9))
    filing = evaluate(marked).marked
    assert (filing.coverage, filing.precision, filing.caught) == (0.5, 1.0, 1.0)


def test_each_source_is_judged_by_what_the_others_teach() -> None:
    """A source whose errors are sure of themselves is filed wrongly: its own errors taught no one.

    On all documents together the same threshold would have been found too good.
    """
    good = outcomes(*[("a", "a", 0.9)] * 8, source="good")
    bad = outcomes(("a", "b", 0.95), ("a", "a", 0.95), source="bad")
    found = evaluate(good + bad)
    assert found.left_out is not None
    assert [each.source for each in found.left_out.sources] == ["bad", "good"]
    assert found.left_out.sources[0].filing.precision == 0.5
    assert found.left_out.accuracy == pytest.approx((1.0 + 0.5) / 2)
    assert evaluate(good).left_out is None


def test_nothing_is_not_evaluated() -> None:
    """There is no accuracy of no documents."""
    with pytest.raises(ValueError, match="nothing"):
        evaluate([])


def test_the_picture_shows_both_diagrams(tmp_path: Path) -> None:
    """A PNG in which right answers are blue and wrong ones red, for any number of labels."""
    many = outcomes(*[(f"label number {n} ✓", f"label number {n % 3} ✓", 0.5) for n in range(60)])
    for number, given in enumerate((MIXED, many)):
        path = tmp_path / f"{number}.png"
        draw(evaluate(given), path)
        with Image.open(path) as picture:
            colors = {color for _, color in picture.convert("RGB").getcolors(1 << 24) or []}
        assert {(40, 100, 190), (255, 255, 255)} <= colors
        assert any(red > green + 60 and red > blue + 60 for red, green, blue in colors)
