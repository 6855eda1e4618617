"""Cues for a caller's own labels, from their names and descriptions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from inbox.classify.cues import default_cues, topic_cues
from inbox.classify.reading import Reading
from inbox.classify.scoring import Found, Score, score
from inbox.classify.taxonomy import ALIASES, DEFAULT_LABELS, key
from inbox.classify.words import COMMON_WORDS, FUNCTION_WORDS, fold, stem
from inbox.model import Label

# What a word is worth that one label alone uses.
_NAME_WORD = 1.6
_DESCRIPTION_WORD = 1.0
_NAME_PHRASE_ON_TOP = 2.4
_NAME_PHRASE = 1.4
_MOST_REPEATS = 2.2
_SHORTEST_WORD = 3
# How much of a default label's cues a label takes over that names it.
_SAME_NAME = 1.0
_PART_OF_NAME = 0.8
_IN_DESCRIPTION = 0.5
_LIKE_IN_WORDS = 0.4
_LEAST_LIKENESS = 1.5
_SHORTEST_COMPOUND = 5
# What a common word is worth beside one that is not.
_COMMON_SHARE = 0.25
_COMMON_ROOTS = frozenset(stem(word) for word in COMMON_WORDS)
# How far "other" may claim what no label names, while there are labels nobody knows the kind of.
_UNSURE_ELSEWHERE = 0.5

_EMPTY_WORDS = FUNCTION_WORDS | frozenset(
    fold(
        """document documents file files paper papers page pages text texts kind kinds type
        types such containing contains contain including includes include related relating about
        any anything other etc used using use usually typically one two more sent given made eg ie
        between concerning regarding like"""
    )
)


class _Profile(NamedTuple):
    name: str
    words: Mapping[str, float]
    phrase: str
    borrowed: Mapping[str, float]


def score_own(reading: Reading, labels: Sequence[Label]) -> dict[str, Score]:
    """The score of each of `labels`, by its name as the caller spells it."""
    profiles = _profiles(labels)
    known = {name: score(cues, reading) for name, cues in default_cues().items()}
    wanted = {kind for profile in profiles for kind in profile.borrowed}
    elsewhere = max((known[name].points for name in known if name not in wanted), default=0.0)
    # "Other" in a caller's list means every kind that the list does not name.
    if not all(profile.borrowed for profile in profiles):
        elsewhere *= _UNSURE_ELSEWHERE
    known["other"] = known["other"]._replace(points=max(known["other"].points, elsewhere))
    for names, cues in topic_cues().items():
        if names[0] in wanted:
            known[names[0]] = score(cues, reading)
    return {profile.name: _whole_score(profile, reading, known) for profile in profiles}


def _whole_score(profile: _Profile, reading: Reading, known: Mapping[str, Score]) -> Score:
    points, found, _ = _own_score(profile, reading)
    phrases = list(found)
    shapes: list[tuple[str, float]] = []
    for kind, share in profile.borrowed.items():
        points += share * known[kind].points
        phrases.extend(Found(item.phrase, share * item.points) for item in known[kind].found)
        shapes.extend((name, share * worth) for name, worth in known[kind].shapes)
    return Score(points, tuple(phrases), tuple(shapes))


def _own_score(profile: _Profile, reading: Reading) -> Score:
    points = 0.0
    found: list[Found] = []
    counts, surface = _stems(reading)
    for word, worth in profile.words.items():
        times = counts.get(word, 0)
        if times:
            value = worth * min(1 + 0.6 * math.log(times), _MOST_REPEATS)
            points += value
            found.append(Found(f" {surface[word]} ", value))
    if profile.phrase in reading.titles:
        points += _NAME_PHRASE_ON_TOP
        found.append(Found(profile.phrase, _NAME_PHRASE_ON_TOP))
    elif profile.phrase in reading.running:
        points += _NAME_PHRASE
        found.append(Found(profile.phrase, _NAME_PHRASE))
    return Score(points, tuple(found))


def _stems(reading: Reading) -> tuple[Counter[str], dict[str, str]]:
    counts: Counter[str] = Counter()
    surface: dict[str, str] = {}
    for word in reading.words:
        root = stem(word)
        counts[root] += 1
        surface.setdefault(root, word)
    return counts, surface


def _profiles(labels: Sequence[Label]) -> list[_Profile]:
    names = [_roots(label.name) for label in labels]
    descriptions = [_roots(label.description) for label in labels]
    borrowed = [_borrowed(label) for label in labels]
    spread = Counter(
        root for both in zip(names, descriptions, strict=True) for root in both[0] | both[1]
    )
    borrowers = Counter(kind for shares in borrowed for kind in shares)
    count = len(labels)
    profiles = []
    for label, name, description, shares in zip(labels, names, descriptions, borrowed, strict=True):
        words = {
            root: _DESCRIPTION_WORD
            * (_COMMON_SHARE if root in _COMMON_ROOTS else 1.0)
            * _rarity(spread[root], count)
            for root in description
        }
        words |= {root: _NAME_WORD * _rarity(spread[root], count) for root in name}
        # What several labels borrow does not tell them apart, and must not drown the others.
        own = {kind: share * _rarity(borrowers[kind], count) ** 2 for kind, share in shares.items()}
        profiles.append(_Profile(label.name, words, f" {key(label.name)} ", own))
    return profiles


def _rarity(spread: int, labels: int) -> float:
    # 1 for a word of one label, falling to 0 for a word of all of them.
    return math.log((labels + 1) / (spread + 1)) / math.log((labels + 1) / 2)


def _roots(text: str) -> set[str]:
    return {
        stem(word)
        for word in fold(text)
        if len(word) >= _SHORTEST_WORD and word not in _EMPTY_WORDS and not word.isdigit()
    }


def _borrowed(label: Label) -> dict[str, float]:
    """Which known kinds and topics this label speaks of, and how much of their cues it takes."""
    name, description = key(label.name), key(label.description)
    if ALIASES.get(name) == "other":
        return {"other": _SAME_NAME}
    kinds = {alias: kind for alias, kind in ALIASES.items() if kind != "other"}
    topics = {alias: names[0] for names in topic_cues() for alias in names}
    if name in {key(known.name) for known in DEFAULT_LABELS}:
        return {ALIASES[name]: _SAME_NAME}
    shares: dict[str, float] = {}
    for names in (kinds, topics):
        inside, share = _named(names, name), _PART_OF_NAME
        if name in names:
            inside, share = {names[name]}, _SAME_NAME
        elif not inside:
            inside, share = _named(names, description), _IN_DESCRIPTION
        shares |= {kind: share / len(inside) for kind in inside}
    return shares or _alike(label)


def _named(names: Mapping[str, str], text: str) -> set[str]:
    """The kinds whose names stand in `text` as words, or end a compound: Eingangsrechnung."""
    found = {kind for alias, kind in names.items() if f" {alias} " in f" {text} "}
    if not found:
        long = [alias for alias in names if len(alias) >= _SHORTEST_COMPOUND and " " not in alias]
        words = text.split()
        found = {names[alias] for alias in long for word in words if word.endswith(alias)}
    return found


def _alike(label: Label) -> dict[str, float]:
    """The one kind whose cues use the label's words most, if one stands out."""
    roots = _roots(f"{label.name} {label.description}")
    vocabulary = _kind_roots()
    spread = Counter(root for known in vocabulary.values() for root in known)
    likeness = {
        kind: sum(math.log(len(vocabulary) / spread[root]) for root in roots & known)
        for kind, known in vocabulary.items()
    }
    best, second = sorted(likeness, key=lambda kind: -likeness[kind])[:2]
    if likeness[best] < max(_LEAST_LIKENESS, 1.2 * likeness[second]):
        return {}
    return {best: _LIKE_IN_WORDS}


@cache
def _kind_roots() -> Mapping[str, frozenset[str]]:
    descriptions = {label.name: label.description for label in DEFAULT_LABELS}
    return {
        kind: frozenset(
            _roots(descriptions[kind])
            | {
                root
                for group in cues.phrases
                if group.weight >= 1
                for phrase in group.phrases
                for root in _roots(phrase)
            }
        )
        for kind, cues in default_cues().items()
        if kind != "other"
    }
