"""File names as they are shown. A name never becomes a path."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 255
MAX_SUFFIX = 20
UNNAMED = "unnamed"
# Marks that turn the reading direction round and make `gpj.exe` look like `exe.jpg`.
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def display_name(raw: str) -> str:
    """The last component of a path as a name to show: 1 to 255 characters, NFC, no controls."""
    text = raw.encode("utf-8", "replace").decode("utf-8")
    text = unicodedata.normalize("NFC", re.split(r"[/\\]", text)[-1])
    text = "".join(character for character in text if not _hidden(character)).strip()
    if not text.strip("."):
        return UNNAMED
    return _shorten(text)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI


def _shorten(name: str) -> str:
    if len(name) <= MAX_CHARACTERS:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > MAX_SUFFIX:
        return name[:MAX_CHARACTERS]
    return stem[: MAX_CHARACTERS - len(suffix) - 1] + dot + suffix
