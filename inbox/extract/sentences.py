"""Words and sentences for the unstructured library, told by punctuation alone.

It asks which texts are prose and which are headings, for which it would load a language model from
the network, and a library of a second's processor time. The three functions stand in for those of
`unstructured.nlp.tokenize`.
"""

from __future__ import annotations

import functools
import re
import sys
from types import ModuleType

_END = re.compile(r"(?<=[.!?\u2026\u3002])[\"'\u201d\u2019)\]]*\s+")
_TOKEN = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
_KEPT = 256


@functools.lru_cache(_KEPT)
def _sentences(text: str) -> tuple[str, ...]:
    return tuple(filter(None, _END.split(text.strip())))


def sent_tokenize(text: str) -> list[str]:
    """The sentences of a text."""
    return list(_sentences(str(text)))


@functools.lru_cache(_KEPT)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(text))


def word_tokenize(text: str) -> list[str]:
    """The words of a text, and its punctuation marks."""
    return list(_words(str(text)))


def pos_tag(text: str) -> list[tuple[str, str]]:
    """The words without a part of speech, which nothing here knows."""
    return [(word, "") for word in _words(str(text))]


def stand_in() -> None:
    """Put this module in the place of the library's own, before that is imported."""
    name = "unstructured.nlp.tokenize"
    module = sys.modules.setdefault(name, ModuleType(name, __doc__))
    for function in (sent_tokenize, word_tokenize, pos_tag):
        setattr(module, function.__name__, function)
