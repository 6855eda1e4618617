"""Fields that a model found, believed as far as their quotes bear them out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from inbox.classify.verify import Finder
from inbox.classify.words import fold
from inbox.model import FieldFound, FieldWanted

DEFAULT_FIELDS: tuple[FieldWanted, ...] = (
    FieldWanted(name="date", kind="date", description="A date that matters, as YYYY-MM-DD."),
    FieldWanted(
        name="amount", kind="amount", description="An amount of money that matters, with currency."
    ),
    FieldWanted(name="party", description="A person or organisation that the document is between."),
)
MOST_FACTS = 60
_LONGEST_VALUE = 500
_NUMBER = re.compile(r"\d+")
_AMOUNT = re.compile(r"\d[\d.,'\u00a0\u2019 ]*")
_CENTS = re.compile(r"[.,](\d{1,2})$")
_ISO = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


class Said(Protocol):
    """A fact as the model states it."""

    name: str
    value: str
    quote: str


class Facts(NamedTuple):
    """The facts that hold, and whether there were others."""

    found: tuple[FieldFound, ...]
    dropped: bool


def check(
    said: Sequence[Said],
    wanted: Sequence[FieldWanted],
    finder: Finder,
    restore: Callable[[str], str],
) -> Facts:
    """Keep the facts whose quote stands in the document and holds the value.

    Args:
        said: what the model states.
        wanted: what was asked for.
        finder: of the document.
        restore: puts back what was hidden from the model.
    """
    kinds = {each.name: each.kind for each in wanted}
    found: list[FieldFound] = []
    dropped = len(said) > MOST_FACTS
    for fact in said[:MOST_FACTS]:
        value = " ".join(restore(fact.value).split())[:_LONGEST_VALUE]
        place = finder.find(fact.quote) or finder.find(restore(fact.quote))
        kind = kinds.get(fact.name)
        if place is None or kind is None or not borne_out(kind, value, place.quote):
            dropped = True
        else:
            one = FieldFound(name=fact.name, value=value, quote=place.quote, page=place.page)
            if one not in found:
                found.append(one)
    return Facts(tuple(found), dropped)


def borne_out(kind: str, value: str, quote: str) -> bool:
    """Whether `quote` says `value`.

    A date's year (or its last two digits) and day must stand there as numbers; an amount must
    stand there with any thousands separators; of a text each word must.
    """
    if kind == "date":
        return _says_date(value, quote)
    if kind == "amount":
        amounts = {_plain(each) for each in _AMOUNT.findall(value)} - {""}
        return bool(amounts) and amounts <= {_plain(each) for each in _AMOUNT.findall(quote)}
    words = fold(value)
    return bool(words) and set(words) <= set(fold(quote))


def _says_date(value: str, quote: str) -> bool:
    iso = _ISO.fullmatch(value.strip())
    if iso is None:
        return set(fold(value)) <= set(fold(quote)) and bool(_NUMBER.search(value))
    numbers = _NUMBER.findall(quote)
    solid = {value.replace("-", "")} & set(numbers)
    year, day = iso[1], iso[3]
    has_year = year in numbers or year[2:] in numbers
    has_day = day is None or day in numbers or day.lstrip("0") in numbers
    return bool(solid) or (has_year and has_day)


def _plain(amount: str) -> str:
    amount = amount.strip(" .,'\u00a0\u2019")
    cents = _CENTS.search(amount)
    whole = re.sub(r"\D", "", amount[: cents.start()] if cents else amount)
    fraction = cents[1].ljust(2, "0") if cents else "00"
    return f"{whole.lstrip('0') or '0'}.{fraction}" if whole else ""
