"""Fit the weights of `inbox.classify.learned` to the texts beside this program: `make train`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from corpus import digest, texts
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

import inbox.classify
from inbox.classify import learned, likeness

WEIGHTS = Path(inbox.classify.__file__).parent / "weights"
FEATURES = 16000
FEWEST_TEXTS = 3  # that a feature must stand in
# Inverse strength of the penalty on large weights, for words and for meaning. Both stand on wide
# plateaus of the accuracy beside the cues on public documents that neither had met.
WORDS_C = 100
MEANING_C = 5


def regression(strength: float) -> LogisticRegression:
    """A regression that gives every label the same weight, however many texts it has."""
    return LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)


def analyse(text: str) -> list[str]:
    """The features of a text, in a fixed order."""
    return sorted(learned.features(text))


def fit_words(labels: Sequence[str], read: Sequence[str]) -> None:
    """Fit to all features, keep those with the greatest weights, fit to these."""
    first = TfidfVectorizer(analyzer=analyse, binary=True, min_df=FEWEST_TEXTS)
    found = first.fit_transform(read)
    model = regression(WORDS_C).fit(found, labels)
    worth = np.abs(model.coef_).max(axis=0) * first.idf_
    names = first.get_feature_names_out()
    kept = sorted(names[np.argsort(-worth, kind="stable")[:FEATURES]])
    second = TfidfVectorizer(analyzer=analyse, binary=True, vocabulary=kept)
    model = regression(WORDS_C).fit(second.fit_transform(read), labels)
    write("words.tsv", model, kept, second.idf_)


def fit_meaning(labels: Sequence[str], read: Sequence[str]) -> None:
    """Fit to the encoder's directions of the openings."""
    directions = np.array([likeness.first_stretch(text) for text in read])
    model = regression(MEANING_C).fit(directions, labels)
    places = range(directions.shape[1])
    write("meaning.tsv", model, [str(place) for place in places], np.ones(len(places)))


def write(
    file: str, model: LogisticRegression, features: Sequence[str], frequencies: Sequence[float]
) -> None:
    """Write a regression down as `inbox.classify.learned.read_weights` reads it."""
    rows = [(digest(), "", *model.classes_), ("", "", *map(hundredths, model.intercept_))]
    for feature, frequency, weights in zip(features, frequencies, model.coef_.T, strict=True):
        rows.append((feature, hundredths(frequency), *map(hundredths, weights)))
    lines = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (WEIGHTS / file).write_text(lines, "utf-8")


def hundredths(number: float) -> int:
    """A number as whole hundredths."""
    return round(float(number) * 100)


def main() -> None:
    """Fit both and write them down."""
    labels, _, read = zip(*texts(), strict=True)
    fit_words(labels, read)
    fit_meaning(labels, read)
    print(json.dumps({"texts": len(read), "labels": len(set(labels))}))


if __name__ == "__main__":
    main()
