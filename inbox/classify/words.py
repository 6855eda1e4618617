"""Text as words that can be compared."""

from __future__ import annotations

import re
import unicodedata
from importlib import resources

_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
_SPACED = re.compile(r"\b(?:(?:[A-Z] ){4,30}[A-Z]|[A-Za-z] (?:[a-z] ){3,29}[a-z])\b")
_MIXED = re.compile(r"[a-z]+[0158][a-z0158]*[a-z]|[01][a-z]{3,30}")
_LOOKALIKES = str.maketrans("0158", "oisb")


def plain(text: str) -> str:
    """`text` in lower case and without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return _ACCENTS.sub("", decomposed)


def fold(text: str) -> list[str]:
    """The words of `text`, in order, in lower case and without accents.

    `I N V O I C E` is one word, and digits that a scan put into a word are letters: `T0tal`.
    """
    text = _SPACED.sub(lambda spaced: spaced[0].replace(" ", ""), text)
    words = _WORD.findall(plain(text))
    return [_unmix(word) if _MIXED.fullmatch(word) else word for word in words]


def _unmix(word: str) -> str:
    letters = sum(char.isalpha() for char in word)
    return word.translate(_LOOKALIKES) if letters * 3 >= len(word) * 2 else word


def _listed(name: str) -> frozenset[str]:
    return frozenset(fold(resources.files("inbox.classify.cues").joinpath(name).read_text("utf-8")))


# The commonest function words: running text is full of them in any language, tables are not.
FUNCTION_WORDS = _listed("function_words.txt")
# Words of six languages that say little about what a document is.
COMMON_WORDS = _listed("common_words.txt")


_SUFFIXES = re.compile(
    r"(?:ations?|ments?|ings?|ity|ities|[ae]nces?|[eo]rs?|ies|ied|ed|es|ly|al|s)$"
)
_SHORTEST_STEM = 3


def stem(word: str) -> str:
    """An English word without its commonest endings: invoices, invoiced, invoicing agree."""
    shorter = _SUFFIXES.sub("", word)
    if len(shorter) >= _SHORTEST_STEM:
        word = shorter
    return word.rstrip("ey") if len(word) > _SHORTEST_STEM else word
