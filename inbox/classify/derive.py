"""Cues for a caller's own labels, from their names and descriptions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import NamedTuple

from inbox.classify.cues import default_cues, topic_cues, type_cues
from inbox.classify.kinds import Meaning, meaning
from inbox.classify.reading import Reading
from inbox.classify.scoring import Found, Score, score
from inbox.classify.taxonomy import key
from inbox.classify.words import COMMON_WORDS, FUNCTION_WORDS, fold, stem
from inbox.model import Label

# What a word is worth that one label alone uses.
_NAME_WORD = 1.6
_DESCRIPTION_WORD = 1.0
_NAME_PHRASE_ON_TOP = 2.4
_NAME_PHRASE = 1.4
_CUE = 1.8  # a phrase that the caller says such documents hold
_MOST_REPEATS = 2.2
_SHORTEST_WORD = 3
# What a label's own words are worth where its cues are known, and where they are not.
_BESIDE_KNOWN_CUES = 0.35
# A label that means a kind this much less than another label leaves it to that one.
_LEAVES_IT = 0.7
# What a common word is worth beside one that is not.
_COMMON_SHARE = 0.25
_COMMON_ROOTS = frozenset(stem(word) for word in COMMON_WORDS)
# The points of a sort of letter at which a letter is surely of that sort.
_SURELY_THE_SORT = 5.0
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
    cues: tuple[str, ...]
    borrowed: Mapping[str, float]
    own_share: float


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
    for names, cues in (*topic_cues().items(), *type_cues().items()):
        if names[0] in wanted:
            known[names[0]] = score(cues, reading)
    return {profile.name: _whole_score(profile, reading, known, wanted) for profile in profiles}


def _whole_score(
    profile: _Profile, reading: Reading, known: Mapping[str, Score], wanted: AbstractSet[str]
) -> Score:
    own = _own_score(profile, reading)
    points = profile.own_share * own.points
    phrases = list(own.found)
    shapes: list[tuple[str, float]] = []
    if profile.borrowed:
        # A label of several kinds is met by any of them.
        kind = max(profile.borrowed, key=lambda each: profile.borrowed[each] * known[each].points)
        share = profile.borrowed[kind]
        points += share * (known[kind].points + _as_a_sort(kind, known, wanted))
        phrases.extend(Found(item.phrase, share * item.points) for item in known[kind].found)
        shapes.extend((name, share * worth) for name, worth in known[kind].shapes)
    for cue in profile.cues:
        if cue in reading.running:
            points += _CUE
            phrases.append(Found(cue, _CUE))
    return Score(points, tuple(phrases), tuple(shapes))


def _as_a_sort(kind: str, known: Mapping[str, Score], wanted: AbstractSet[str]) -> float:
    """What a wider kind brings: beside a label for letters, a complaint is both."""
    wider = [known[name].points for name in _sorts().get(kind, ()) if name in wanted]
    if not wider:
        return 0.0
    sure = min(max(known[kind].points, 0.0) / _SURELY_THE_SORT, 1.0)
    return sure * max(0.0, *wider)


@cache
def _sorts() -> Mapping[str, tuple[str, ...]]:
    return {names[0]: cues.sort_of for names, cues in type_cues().items()}


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
    borrowed = _shared_out([meaning(label) for label in labels])
    spread = Counter(
        root for both in zip(names, descriptions, strict=True) for root in both[0] | both[1]
    )
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
        cues = tuple(f" {key(cue)} " for cue in label.cues if key(cue))
        own = 1 - (1 - _BESIDE_KNOWN_CUES) * max(shares.values(), default=0.0)
        profiles.append(_Profile(label.name, words, f" {key(label.name)} ", cues, shares, own))
    return profiles


def _shared_out(meanings: Sequence[Meaning]) -> list[dict[str, float]]:
    """What each label takes of each kind: what several mean does not tell them apart."""
    best: dict[str, float] = {}
    for each in meanings:
        for kind, share in each.kinds.items():
            best[kind] = max(best.get(kind, 0.0), share)
    kept = [
        {kind: share for kind, share in each.kinds.items() if share >= _LEAVES_IT * best[kind]}
        for each in meanings
    ]
    takers = Counter(kind for shares in kept for kind in shares)
    count = len(meanings)
    return [
        {kind: share * _rarity(takers[kind], count) ** 2 for kind, share in shares.items()}
        for shares in kept
    ]


def _rarity(spread: int, labels: int) -> float:
    # 1 for a word of one label, falling to 0 for a word of all of them.
    return math.log((labels + 1) / (spread + 1)) / math.log((labels + 1) / 2)


def _roots(text: str) -> set[str]:
    return {
        stem(word)
        for word in fold(text)
        if len(word) >= _SHORTEST_WORD and word not in _EMPTY_WORDS and not word.isdigit()
    }
