"""The score of each default label."""

from __future__ import annotations

from collections.abc import Mapping

from inbox.classify import learned, likeness
from inbox.classify.confidence import probabilities
from inbox.classify.cues import default_cues
from inbox.classify.reading import Reading
from inbox.classify.scoring import Score, score

# What was learned is worth so much beside the points of the cues: the words alone, and the words
# and the meaning together.
_WORDS_ALONE = 1.0
_BOTH = 0.7
# The sentence encoder is asked where the others are less sure: over it, 98 to 100 of 100 labels
# were right without.
_SURE = 0.9


def default_scores(reading: Reading, cues: Mapping[str, Score]) -> dict[str, Score]:
    """What the cues and what was learned say together, for each default label.

    Args:
        reading: the document.
        cues: its `cue_scores`.
    """
    words = learned.of_words(reading.excerpt)
    points = {name: cues[name].points + _WORDS_ALONE * words.lifts[name] for name in cues}
    if likeness.installed() and max(probabilities(points).values()) < _SURE:
        points = _with_meaning(cues, words.lifts, learned.of_meaning(reading.excerpt))
    return {
        # A cue is the better evidence: it says why, where a word may only often stand there.
        name: Score(points[name], found.found or words.telling[name], found.shapes)
        for name, found in cues.items()
    }


def cue_scores(reading: Reading) -> dict[str, Score]:
    """What the cues alone say, for each default label."""
    return {name: score(cues, reading) for name, cues in default_cues().items()}


def _with_meaning(
    cues: Mapping[str, Score], words: Mapping[str, float], meaning: Mapping[str, float]
) -> dict[str, float]:
    return {name: cues[name].points + _BOTH * (words[name] + meaning[name]) for name in cues}
