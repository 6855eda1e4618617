"""What documents of each kind say: generic knowledge, weighted by hand, nothing trained.

The text files beside this module hold the cues, in this form:

    [invoice]
    head +2.2
      invoice | tax invoice | proforma invoice
    any  -1.0
      whereas | hereinafter
    shape +1.2 money

A group of phrases that mean the same counts once, growing with the logarithm of how often they
occur. `head` phrases count in the first lines only, where a document says what it is; `any`
phrases count everywhere; `two` and `three` phrases do so where as many different ones stand, as
each is a common word, and grow with how many these are; a `shape` is a property of the layout,
measured by `inbox.classify.layout`. A negative weight speaks against the label. Phrases are
compared as whole words after case and accents are folded: `Année` is found in `ANNEE`.
`[complaint < letter]` is a sort of letter. Weights run from 0.3 (common elsewhere too) over 1
(typical) to 3 (hardly anything else says so).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from inbox.classify.words import fold

_FILES = ("finance.txt", "papers.txt", "people.txt", "correspondence.txt", "knowledge.txt")
_GROUP = re.compile(r"(head|any|two|three)\s+([+-]\d+\.\d+)$")
_FEWEST = {"two": 2, "three": 3}
_SHAPE = re.compile(r"shape\s+([+-]\d+\.\d+)\s+(\w+)$")


class Phrases(NamedTuple):
    """A group of phrases that mean the same.

    Attributes:
        weight: what the group is worth; negative where it speaks against the label.
        phrases: folded words joined and surrounded by single spaces.
        head: whether only the first lines count.
        fewest: how many different ones must stand in a document.
    """

    weight: float
    phrases: tuple[str, ...]
    head: bool
    fewest: int = 1


class Cues(NamedTuple):
    """Everything that speaks for or against one label.

    Attributes:
        phrases: groups of phrases.
        shapes: names of layout features with their weights.
        sort_of: the default labels that this is a sort of.
    """

    phrases: tuple[Phrases, ...]
    shapes: tuple[tuple[str, float], ...]
    sort_of: tuple[str, ...] = ()


@cache
def default_cues() -> Mapping[str, Cues]:
    """The cues of each default label, read from the files once."""
    folder = resources.files(__package__)
    found: dict[str, Cues] = {}
    for name in _FILES:
        found.update(read_cues(folder.joinpath(name).read_text("utf-8")))
    return found


@cache
def topic_cues() -> Mapping[tuple[str, ...], Cues]:
    """What documents on common topics speak of, by the folded names of each topic."""
    return _named_cues("topics.txt")


@cache
def type_cues() -> Mapping[tuple[str, ...], Cues]:
    """What further types of document say that callers have labels for, by their folded names."""
    return _named_cues("types.txt")


def _named_cues(file: str) -> dict[tuple[str, ...], Cues]:
    text = resources.files(__package__).joinpath(file).read_text("utf-8")
    return {
        tuple(name.strip() for name in split_phrases(names)): cues
        for names, cues in read_cues(text).items()
    }


def read_cues(text: str) -> dict[str, Cues]:
    """The cues written down in `text`.

    Raises:
        ValueError: a line is not of the form that the module's docstring shows.
    """
    found: dict[str, Cues] = {}
    for label, lines in _sections(text):
        groups: list[tuple[str, float, list[str]]] = []
        shapes: list[tuple[str, float]] = []
        for line in lines:
            if group := _GROUP.match(line):
                groups.append((group[1], float(group[2]), []))
            elif shape := _SHAPE.match(line):
                shapes.append((shape[2], float(shape[1])))
            elif line.startswith(" ") and groups:
                groups[-1][2].append(line)
            else:
                raise ValueError(f"not a cue: {line!r}")
        phrases = tuple(
            Phrases(weight, split_phrases(" ".join(body)), where == "head", _FEWEST.get(where, 1))
            for where, weight, body in groups
        )
        names, _, wider = label.partition("<")
        found[names.strip()] = Cues(phrases, tuple(shapes), tuple(wider.split()))
    return found


def split_phrases(text: str) -> tuple[str, ...]:
    """Phrases parted by |, folded, without repetitions."""
    folded = (" ".join(fold(part)) for part in text.split("|"))
    return tuple(dict.fromkeys(f" {part} " for part in folded if part))


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    label = ""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("["):
            if label:
                yield label, lines
            label, lines = line.strip("[] "), []
        elif line.strip():
            lines.append(line.rstrip())
    if label:
        yield label, lines
