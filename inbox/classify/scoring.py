"""How much each cue says about a document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from inbox.classify.cues import Cues, Phrases
from inbox.classify.reading import Reading

_MOST_REPEATS = 2.2
_MOST_AGAINST = 1.4
_IN_HEAD_ONLY = 0.45
_WHOLE_LINE = 1.25
# One word that stands once may be there by chance.
_A_LONE_WORD = 0.7
_SPACES_AROUND_A_WORD = 2


class Found(NamedTuple):
    """A phrase that stands in the document and what its group brought."""

    phrase: str
    points: float


class Score(NamedTuple):
    """The points of one label and the phrases that brought them.

    Attributes:
        points: the sum over all cues.
        found: phrases that speak for the label.
        shapes: layout features that speak for it, with what they brought.
    """

    points: float
    found: tuple[Found, ...]
    shapes: tuple[tuple[str, float], ...] = ()


def score(cues: Cues, reading: Reading) -> Score:
    """Add up what `cues` find in `reading`."""
    measured = [(name, weight * reading.shapes[name]) for name, weight in cues.shapes]
    points = sum(value for _, value in measured)
    found: list[Found] = []
    for group in cues.phrases:
        present = _present(group.phrases, reading)
        if len(present) < group.fewest:
            continue
        value = (
            _head_value(present, reading) if group.head else _count_value(group, present, reading)
        )
        points += group.weight * value
        if group.weight > 0 and value > 0:
            found.extend(Found(phrase, group.weight * value) for phrase in present)
    return Score(points, tuple(found), tuple(shape for shape in measured if shape[1] > 0))


def _present(phrases: Sequence[str], reading: Reading) -> list[str]:
    vocabulary, running = reading.vocabulary, reading.running
    return [
        phrase
        for phrase in phrases
        if phrase[1 : phrase.index(" ", 1)] in vocabulary and phrase in running
    ]


def _head_value(present: Sequence[str], reading: Reading) -> float:
    best = 0.0
    for phrase in present:
        if f"|{phrase}|" in reading.titles:
            best = max(best, _WHOLE_LINE)
        elif phrase in reading.titles:
            best = max(best, 1.0)
        elif phrase in reading.head:
            best = max(best, _IN_HEAD_ONLY)
    return best


def _count_value(group: Phrases, present: Sequence[str], reading: Reading) -> float:
    if group.fewest > 1:  # repeating a common word says nothing more
        return _growing(len(present) - group.fewest + 1, group)
    times = sum(reading.running.count(phrase) for phrase in present)
    if group.weight > 0 and times == 1 and present[0].count(" ") == _SPACES_AROUND_A_WORD:
        return _A_LONE_WORD
    return _growing(times, group)


def _growing(times: int, group: Phrases) -> float:
    most = _MOST_REPEATS if group.weight > 0 else _MOST_AGAINST
    return min(1 + 0.6 * math.log(max(times, 1)), most)
