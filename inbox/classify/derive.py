"""Cues for a caller's own labels, from their names and descriptions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import NamedTuple

from inbox.classify import likeness
from inbox.classify.cues import default_cues, topic_cues, type_cues
from inbox.classify.defaults import cue_scores, default_scores
from inbox.classify.kinds import SAME, Meaning, default_kinds, meaning
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
_CUE = 3.0  # a phrase that the caller says such documents hold
_MOST_REPEATS = 2.2
_SHORTEST_WORD = 3
_HEAD = 250  # characters
# What a label's own words are worth where the list holds nothing but the names of known kinds.
_BESIDE_KNOWN_CUES = 0.35
# In such a list, where not all are default kinds, points over this grow with their logarithm: the
# default kinds have dozens of cues, types a few. No limit, as a sort of a kind has to stay ahead.
_GROWS_SLOWLY = 3.0
# What the cues of the kinds that labels mean, the labels' own words and likeness of meaning are
# worth in any other list. Fitted by log-likelihood on 18 lists of five labels with 25 texts each,
# one list left out at a time, beside six lists of known kinds.
_KNOWN = 0.5
_MOST_KNOWN = 6.0  # points; more cues than that say little more
_WORDS = 0.3
_LIKENESS = 11.5
# What all three are worth beside a default kind that the label stands for.
_BESIDE_DEFAULT_KINDS = 0.6
# These scores were fitted with another temperature than those to which something learned has come:
# steeper by 1.2 / 0.7, and lower as "none of them" is.
_STEEPER = 1.71
_LOWER = -1.86
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


_Stems = tuple[Counter[str], dict[str, str]]  # how often each occurs, and a word that has it


class _Profile(NamedTuple):
    name: str
    words: Mapping[str, float]
    phrase: str
    cues: tuple[str, ...]
    borrowed: Mapping[str, float]


def score_own(reading: Reading, labels: Sequence[Label]) -> dict[str, Score]:
    """The score of each of `labels`, by its name as the caller spells it."""
    profiles = _profiles(labels)
    scores = _scores(profiles, reading, labels)
    return {
        profile.name: _sum((1.0, scores[profile.name]), (1.0, _callers_cues(profile, reading)))
        for profile in profiles
    }


def _scores(
    profiles: Sequence[_Profile], reading: Reading, labels: Sequence[Label]
) -> Mapping[str, Score]:
    cues = cue_scores(reading)
    known_names = all(SAME in profile.borrowed.values() for profile in profiles)
    if known_names and not _names_a_type(profiles):
        return _by_names(profiles, reading, default_scores(reading, cues), _as_found)
    if known_names:
        return _scaled(_by_names(profiles, reading, cues, _slowed))
    found = _by_meaning(profiles, reading, cues, labels)
    kinds = default_kinds({profile.name: profile.borrowed for profile in profiles})
    if kinds is None:
        return _scaled(found)
    sure = default_scores(reading, cues)
    return {
        name: _sum(
            (1.0, max((sure[kind] for kind in mine), key=lambda one: one.points)),
            (_BESIDE_DEFAULT_KINDS, found[name]),
        )
        for name, mine in kinds.items()
    }


def _by_names(
    profiles: Sequence[_Profile],
    reading: Reading,
    defaults: Mapping[str, Score],
    beside: Callable[[Score], Score],
) -> dict[str, Score]:
    """The scores where every label is the name of a known kind."""
    known, wanted = _with_wanted(profiles, reading, defaults)
    stems = _stems(reading)
    return {
        profile.name: _sum(
            (1.0, beside(_known_score(profile, known, wanted))),
            (_BESIDE_KNOWN_CUES, _own_score(profile, reading, stems)),
        )
        for profile in profiles
    }


def _by_meaning(
    profiles: Sequence[_Profile],
    reading: Reading,
    cues: Mapping[str, Score],
    labels: Sequence[Label],
) -> dict[str, Score]:
    """The scores by kinds that labels mean more or less, their own words and likeness."""
    known, wanted = _with_wanted(profiles, reading, cues)
    stems = _stems(reading)
    alike = _alike(reading, labels)
    head = frozenset(stem(word) for word in fold(reading.excerpt[:_HEAD]))
    return {
        profile.name: _sum(
            (_KNOWN, _bounded(_known_score(profile, known, wanted))),
            (_WORDS, _own_score(profile, reading, stems, head)),
            (_LIKENESS, Score(alike[profile.name], ())),
        )
        for profile in profiles
    }


def _with_wanted(
    profiles: Sequence[_Profile], reading: Reading, defaults: Mapping[str, Score]
) -> tuple[Mapping[str, Score], AbstractSet[str]]:
    """The scores with those of types and topics that labels mean, and all that labels mean."""
    wanted = {kind for profile in profiles for kind in profile.borrowed}
    elsewhere = max((defaults[name].points for name in defaults if name not in wanted), default=0.0)
    # "Other" in a caller's list means every kind that the list does not name.
    if not all(profile.borrowed for profile in profiles):
        elsewhere *= _UNSURE_ELSEWHERE
    other = defaults["other"]
    known = {**defaults, "other": other._replace(points=max(other.points, elsewhere))}
    for names, cues in (*topic_cues().items(), *type_cues().items()):
        if names[0] in wanted:
            known[names[0]] = score(cues, reading)
    return known, wanted


def _scaled(scores: Mapping[str, Score]) -> dict[str, Score]:
    """Scores to which nothing learned has come, on the scale of those to which it has."""
    return {
        name: found._replace(points=_STEEPER * found.points + _LOWER)
        for name, found in scores.items()
    }


def _names_a_type(profiles: Sequence[_Profile]) -> bool:
    """Whether a label means what is none of the default kinds."""
    kinds = default_cues().keys()
    return any(
        not any(share == SAME and kind in kinds for kind, share in profile.borrowed.items())
        for profile in profiles
    )


def _alike(reading: Reading, labels: Sequence[Label]) -> Mapping[str, float]:
    if not likeness.installed():
        return dict.fromkeys((label.name for label in labels), 0.0)
    told = [(label.name, label.description) for label in labels]
    values = likeness.to_descriptions(reading.excerpt, told)
    return {label.name: value for label, value in zip(labels, values, strict=True)}


def _sum(*parts: tuple[float, Score]) -> Score:
    return Score(
        sum(share * part.points for share, part in parts),
        tuple(Found(f.phrase, share * f.points) for share, part in parts for f in part.found),
        tuple((name, share * worth) for share, part in parts for name, worth in part.shapes),
    )


def _known_score(profile: _Profile, known: Mapping[str, Score], wanted: AbstractSet[str]) -> Score:
    if not profile.borrowed:
        return Score(0.0, ())
    # A label of several kinds is met by any of them.
    kind = max(profile.borrowed, key=lambda each: profile.borrowed[each] * known[each].points)
    points = known[kind].points + _as_a_sort(kind, known, wanted)
    return _sum((profile.borrowed[kind], known[kind]._replace(points=points)))


def _bounded(found: Score) -> Score:
    return found._replace(points=_MOST_KNOWN * math.tanh(found.points / _MOST_KNOWN))


def _slowed(found: Score) -> Score:
    return found._replace(points=_GROWS_SLOWLY * math.asinh(found.points / _GROWS_SLOWLY))


def _as_found(found: Score) -> Score:
    return found


def _callers_cues(profile: _Profile, reading: Reading) -> Score:
    found = tuple(Found(cue, _CUE) for cue in profile.cues if cue in reading.running)
    return Score(sum(item.points for item in found), found)


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


def _own_score(
    profile: _Profile, reading: Reading, stems: _Stems, head: AbstractSet[str] = frozenset()
) -> Score:
    """What the label's own words are worth; those in `head` count once more."""
    points = 0.0
    found: list[Found] = []
    counts, surface = stems
    for word, worth in profile.words.items():
        times = counts.get(word, 0)
        if times:
            value = worth * (min(1 + 0.6 * math.log(times), _MOST_REPEATS) + (word in head))
            points += value
            found.append(Found(f" {surface[word]} ", value))
    if profile.phrase in reading.titles:
        points += _NAME_PHRASE_ON_TOP
        found.append(Found(profile.phrase, _NAME_PHRASE_ON_TOP))
    elif profile.phrase in reading.running:
        points += _NAME_PHRASE
        found.append(Found(profile.phrase, _NAME_PHRASE))
    return Score(points, tuple(found))


def _stems(reading: Reading) -> _Stems:
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
        profiles.append(_Profile(label.name, words, f" {key(label.name)} ", cues, shares))
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
