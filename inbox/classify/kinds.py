"""How far a caller's label means one of the known kinds of document.

Cues for a kind are worth more than the words of a label, so a label takes over the cues of what it
means. That is told by its name (`cues/types.txt` and `cues/topics.txt` know many more than the
default labels), by hand-written words with which people describe each kind (`cues/kinds.txt`), and,
where the optional sentence encoder is installed, by likeness of meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from importlib import resources
from typing import NamedTuple

from inbox.classify import likeness
from inbox.classify.cues import default_cues, read_cues, topic_cues, type_cues
from inbox.classify.taxonomy import ALIASES, DEFAULT_LABELS, key
from inbox.classify.words import fold, stem
from inbox.model import Label

SAME = 1.0
_PART_OF_NAME = 0.85
_IN_DESCRIPTION = 0.6
_TOPIC_BESIDE_KIND = 0.5
_TOPIC_IN_DESCRIPTION = 0.3
# Words that name a kind as a label, and in a description may mean anything.
_VAGUE = frozenset(
    {"paper", "papers", "publication", "id", "mail", "mails", "brief", "beleg", "belege"}
)
_DESCRIBED = 0.8  # most that describing words can show
_FULLY_DESCRIBED = 3.0  # points of describing words that show it
_NAME_COUNTS = 1.5
_LEAST_DESCRIBED = 0.6  # points
_BESIDE_THE_BEST = 0.6  # share of the best kind's points that another must reach to count too
_SHORTEST_COMPOUND = 5
# A type is one sort of a wider kind, which another label may mean more.
_KIND_BESIDE_TYPE = 0.65
# A single word of a description names a type only where it is too long to mean much else.
_SHORTEST_TELLING = 8
# Likeness to what is said of a kind: none, full, and how close to the best one counts too.
_UNLIKE = 0.25
_ALIKE = 0.45
_AS_LIKE = 0.05


# A label that means a kind less than this does not stand for it.
_STANDS_FOR = 0.35


class Meaning(NamedTuple):
    """What a label means, as far as that is known.

    Attributes:
        kinds: how far it means each known kind, type or topic, 0 to 1; empty where none.
    """

    kinds: Mapping[str, float]


def meaning(label: Label) -> Meaning:
    """Which known kinds, types and topics this label means, and how far."""
    name = key(label.name)
    if ALIASES.get(name) == "other":
        return Meaning({"other": SAME})
    if name in {key(known.name) for known in DEFAULT_LABELS}:
        return Meaning({ALIASES[name]: SAME})
    types = _types(label)
    if max(types.values(), default=0.0) > _IN_DESCRIPTION:
        return Meaning(_kinds_of_types(name, types) | types)
    return Meaning(_kinds_and_topics(label) | types)


def default_kinds(
    shares: Mapping[str, Mapping[str, float]],
) -> Mapping[str, AbstractSet[str]] | None:
    """The default kinds that each label of a list stands for; None where the list is of others.

    A kind goes to the label that means it most. One label may mean none: it has what the default
    labels leave, unless another label means that.

    Args:
        shares: how far each label means each kind, type or topic.
    """
    stands_for: dict[str, set[str]] = {label: set() for label in shares}
    for kind in default_cues():
        takers = sorted(shares, key=lambda label: -shares[label].get(kind, 0.0))[:2]
        first, second = (shares[label].get(kind, 0.0) for label in takers)
        if first >= _STANDS_FOR and first > second:
            stands_for[takers[0]].add(kind)
    left = [label for label, kinds in stands_for.items() if not kinds]
    if left:
        if len(left) > 1 or any("other" in kinds for kinds in stands_for.values()):
            return None
        stands_for[left[0]].add("other")
    return stands_for


def _kinds_of_types(name: str, types: Iterable[str]) -> dict[str, float]:
    """The kinds that the name of a type stands for as well, in whatever language it is said."""
    kinds = {ALIASES.get(alias) for alias in (name, *types)}
    return {kind: _KIND_BESIDE_TYPE for kind in kinds if kind is not None and kind != "other"}


def _kinds_and_topics(label: Label) -> dict[str, float]:
    name, description = key(label.name), key(label.description)
    shares = _described(label)
    for kind, share in _alike(label).items():
        shares[kind] = max(shares.get(kind, 0.0), share)
    telling = _telling(description)
    topics = {alias: names[0] for names in topic_cues() for alias in names}
    kinds = {alias: kind for alias, kind in ALIASES.items() if kind != "other"}
    for names in (kinds, topics):
        if name in names:
            # A kind of document says more than what it is about.
            shares[names[name]] = _TOPIC_BESIDE_KIND if names is topics and shares else SAME
            continue
        said = _TOPIC_IN_DESCRIPTION if names is topics else _IN_DESCRIPTION
        for text, share in ((telling, said), (_telling(name), _PART_OF_NAME)):
            for kind in _named(names, text):
                shares[kind] = max(shares.get(kind, 0.0), share)
    return shares


def _telling(text: str) -> str:
    return " ".join(word for word in text.split() if word not in _VAGUE)


def _types(label: Label) -> dict[str, float]:
    """The types of document that the name names, or else the description."""
    name, description = _running(label.name), _running(label.description)
    in_name = {
        alias: SAME if running == name else _PART_OF_NAME
        for alias, (running, _) in _type_names().items()
        if running in name
    }
    found = in_name or {
        alias: _IN_DESCRIPTION
        for alias, (running, telling) in _type_names().items()
        if telling and running in description
    }
    # A longer name is more exact than one it holds: a building permit is not any permit.
    running = {alias: _type_names()[alias][0] for alias in found}
    return {
        _type_of()[alias]: share
        for alias, share in found.items()
        if not any(running[alias] in other != running[alias] for other in running.values())
    }


@cache
def _type_of() -> Mapping[str, str]:
    return {alias: names[0] for names in type_cues() for alias in names}


@cache
def _type_names() -> Mapping[str, tuple[str, bool]]:
    return {
        alias: (_running(alias), " " in alias or len(alias) >= _SHORTEST_TELLING)
        for alias in _type_of()
    }


def _described(label: Label) -> dict[str, float]:
    name, description = _running(label.name), _running(label.description)
    points: dict[str, float] = {}
    for kind, groups in _vocabulary().items():
        found = sum(weight for weight, phrases in groups if _any_in(phrases, description))
        found += _NAME_COUNTS * sum(weight for weight, phrases in groups if _any_in(phrases, name))
        points[kind] = found
    best = max(points.values())
    if best < _LEAST_DESCRIBED:
        return {}
    return {
        kind: _DESCRIBED * min(found / _FULLY_DESCRIBED, 1.0)
        for kind, found in points.items()
        if found >= max(_LEAST_DESCRIBED, _BESIDE_THE_BEST * best)
    }


def _alike(label: Label) -> dict[str, float]:
    if not likeness.installed():
        return {}
    name = label.name.replace("_", " ")
    texts = [f"{name}: {label.description}", label.description] if label.description else [name]
    told = [likeness.kinds_like(text) for text in texts]
    like = {kind: max(each[kind] for each in told) for kind in told[0]}
    best = max(like.values())
    return {
        kind: min((value - _UNLIKE) / (_ALIKE - _UNLIKE), 1.0) * _DESCRIBED
        for kind, value in like.items()
        if value > max(_UNLIKE, best - _AS_LIKE) and kind != "other"
    }


def _any_in(phrases: Iterable[str], running: str) -> bool:
    return any(phrase in running for phrase in phrases)


def _running(text: str) -> str:
    return f" {' '.join(stem(word) for word in fold(text))} "


@cache
def _vocabulary() -> Mapping[str, tuple[tuple[float, tuple[str, ...]], ...]]:
    text = resources.files("inbox.classify.cues").joinpath("kinds.txt").read_text("utf-8")
    return {
        kind: tuple(
            # a phrase alone is a group, so that several of them add up
            (group.weight, (_running(phrase),))
            for group in cues.phrases
            for phrase in group.phrases
        )
        for kind, cues in read_cues(text).items()
    }


def _named(names: Mapping[str, str], text: str) -> set[str]:
    """The kinds whose names stand in `text` as words, or end a compound: Eingangsrechnung."""
    found = {kind for alias, kind in names.items() if f" {alias} " in f" {text} "}
    if not found:
        long = [alias for alias in names if len(alias) >= _SHORTEST_COMPOUND and " " not in alias]
        words = text.split()
        found = {names[alias] for alias in long for word in words if word.endswith(alias)}
    return found
