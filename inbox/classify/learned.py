"""A second opinion beside the cues, learned from texts that were written for it.

Two multinomial logistic regressions over the default labels: one over the words of a document as
binary tf-idf (Spärck Jones, 1972, "A statistical interpretation of term specificity and its
application in retrieval"), one over the sentence encoder's direction of its opening, where the
encoder is installed. The folder `training` holds the texts and the program that fits both; what it
writes lies in `inbox/classify/weights`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import NamedTuple

from inbox.classify import likeness
from inbox.classify.scoring import Found
from inbox.classify.words import COMMON_WORDS, FUNCTION_WORDS, plain

READ = 4000  # characters of a document that are looked at
_TOP_LINES = 8
_LONG_WORD = 6
_SCALE = 100  # weights are kept as whole hundredths
_MOST_TELLING = 12
_TOKEN = re.compile(r"[^\W_]+|[^\w\s]")
_DIGIT = re.compile(r"\d")


class Words(NamedTuple):
    """What the words of a document say.

    Attributes:
        lifts: how much likelier each default label is than by chance, as a logarithm.
        telling: for each label the words that speak for it most, with what they brought.
    """

    lifts: Mapping[str, float]
    telling: Mapping[str, tuple[Found, ...]]


class Weights(NamedTuple):
    """A fitted regression.

    Attributes:
        labels: the labels, in the order of the columns.
        bias: the constant of each label.
        rows: for each feature its inverse document frequency and its weight for each label, as
            whole hundredths parted by tabs: of sixteen thousand a document has a few hundred.
    """

    labels: tuple[str, ...]
    bias: tuple[float, ...]
    rows: Mapping[str, str]


def of_words(text: str) -> Words:
    """What the words of a text say."""
    weights = read_weights("words.tsv")
    brought = _brought(weights, features(text))
    sums = map(math.fsum, zip(weights.bias, *brought.values(), strict=True))
    return Words(_lifts(weights, list(sums)), _telling(weights, brought))


def of_meaning(text: str) -> Mapping[str, float]:
    """What the meaning of a text's opening says, in the form of `Words.lifts`; 5 ms.

    Only where the sentence encoder is installed.
    """
    weights = read_weights("meaning.tsv")
    direction = likeness.first_stretch(text)
    sums = [
        bias + math.fsum(value * weight for value, weight in zip(direction, column, strict=True))
        for bias, column in zip(weights.bias, _meaning_columns(), strict=True)
    ]
    return _lifts(weights, sums)


@cache
def _meaning_columns() -> list[tuple[float, ...]]:
    rows = read_weights("meaning.tsv").rows.values()
    return list(zip(*(_numbers(row)[1:] for row in rows), strict=True))


def features(text: str) -> frozenset[str]:
    """The words of a text, its pairs of words, how its lines begin and what stands at its top.

    Digits count as zeros: dates and amounts differ, their forms do not. Long words count by their
    beginning as well, for languages that inflect and compound.
    """
    lines = [words for line in text[:READ].splitlines() if (words := _words(line))]
    words = [word for line in lines for word in line]
    return frozenset(_features(lines, words))


def _features(lines: Sequence[Sequence[str]], words: Sequence[str]) -> Iterator[str]:
    yield from words
    yield from (f"{one} {other}" for one, other in pairwise(words))
    yield from (f"~{word[: _LONG_WORD - 1]}" for word in words if len(word) >= _LONG_WORD)
    yield from (f"^{' '.join(line[:2])}" for line in lines)
    yield from (f"#{word}" for line in lines[:_TOP_LINES] for word in line)


def _words(line: str) -> list[str]:
    return _TOKEN.findall(_DIGIT.sub("0", plain(line)))


@cache
def read_weights(file: str) -> Weights:
    """The weights in a file of the folder `weights`.

    Its first line holds the labels, its second their constants, each further one a feature.
    """
    path = resources.files("inbox.classify").joinpath("weights", file)
    lines = path.read_text("utf-8").splitlines()
    return Weights(
        labels=tuple(lines[0].split("\t")[2:]),
        bias=tuple(_numbers(lines[1].split("\t", 2)[2])),
        rows=dict(_parted(line) for line in lines[2:]),
    )


def _parted(line: str) -> tuple[str, str]:
    feature, _, numbers = line.partition("\t")
    return feature, numbers


def _numbers(text: str) -> list[float]:
    return [int(number) / _SCALE for number in text.split("\t")]


def _brought(weights: Weights, found: AbstractSet[str]) -> dict[str, list[float]]:
    # Sorted: a sum must not depend on the order of a set.
    rows = {one: _numbers(weights.rows[one]) for one in sorted(found) if one in weights.rows}
    length = math.sqrt(math.fsum(idf * idf for idf, *_ in rows.values())) or 1.0
    return {
        one: [idf * weight / length for weight in columns] for one, (idf, *columns) in rows.items()
    }


def _lifts(weights: Weights, values: Sequence[float]) -> Mapping[str, float]:
    # A softmax's probabilities over those of chance, as logarithms.
    top = max(values)
    mean = math.fsum(math.exp(value - top) for value in values) / len(values)
    return {
        label: value - top - math.log(mean)
        for label, value in zip(weights.labels, values, strict=True)
    }


def _telling(
    weights: Weights, brought: Mapping[str, Sequence[float]]
) -> Mapping[str, tuple[Found, ...]]:
    whole = {one: columns for one, columns in brought.items() if _says_something(one)}
    return {
        label: tuple(
            Found(f" {one} ", whole[one][place])
            for one in sorted(whole, key=lambda each: -whole[each][place])[:_MOST_TELLING]
            if whole[one][place] > 0
        )
        for place, label in enumerate(weights.labels)
    }


def _says_something(feature: str) -> bool:
    words = feature.split()
    return all(map(str.isalpha, words)) and not all(
        word in FUNCTION_WORDS or word in COMMON_WORDS for word in words
    )
