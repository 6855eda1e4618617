"""Texts as vectors of their words, to tell how like they are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from inbox.classify.words import FUNCTION_WORDS, fold, stem

_SHORTEST_WORD = 3


@lru_cache(maxsize=2048)
def weights(text: str) -> Mapping[str, float]:
    """The stems of a text with the logarithm of how often they occur, scaled to length 1."""
    counts = Counter(
        stem(word)
        for word in fold(text)
        if len(word) >= _SHORTEST_WORD and word not in FUNCTION_WORDS and not word.isdigit()
    )
    found = {word: 1 + math.log(times) for word, times in counts.items()}
    length = math.sqrt(sum(value * value for value in found.values())) or 1.0
    return {word: value / length for word, value in found.items()}


def cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The likeness of two such vectors, 0 to 1."""
    if len(other) < len(one):
        one, other = other, one
    return sum(value * other.get(word, 0.0) for word, value in one.items())
