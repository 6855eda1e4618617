"""Text as the database, the page and the classifier can hold it."""

from __future__ import annotations

import re

# Everything a text column or JSON cannot hold, and the form feed, which parts pages.
_UNHOLDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\uffff]")
_LINE_END_SPACE = re.compile(r"[ \t\u00a0]+(?=\n|$)")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f]")
_SENSELESS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
_MANY_BLANKS = re.compile(r"\n{4,}")


def clean(text: str) -> str:
    """`text` with plain line ends and without characters that cannot be stored."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\x0b", "\n").replace("\x0c", "\n").replace("\u2028", "\n")
    text = _UNHOLDABLE.sub("", text)
    text = _LINE_END_SPACE.sub("", text)
    return _MANY_BLANKS.sub("\n\n\n", text).strip("\n")


def printable(text: str) -> int:
    """How many characters leave ink."""
    return len("".join(text.split())) - len(_CONTROL.findall(text))


def bad_share(text: str) -> float:
    """Share of characters that say nothing: replacements, private use, controls."""
    inked = len("".join(text.split()))
    return len(_SENSELESS.findall(text)) / inked if inked else 0.0


def letters(text: str) -> str:
    """Only what is written, in one case: for asking whether two texts say the same."""
    return "".join(char for char in text.casefold() if char.isalnum())
