"""What a model costs, and what a document will cost at most."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from inbox.classify.terms import Usage

# US dollars per million tokens: input, input that the provider had cached, output. As published
# by OpenAI; INBOX_MODEL_PRICES goes before this table.
AS_OF = "2025-11"
PRICES: Mapping[str, tuple[float, float, float]] = {
    "gpt-5.1": (1.25, 0.125, 10.0),
    "gpt-5": (1.25, 0.125, 10.0),
    "gpt-5-mini": (0.25, 0.025, 2.0),
    "gpt-5-nano": (0.05, 0.005, 0.4),
    "gpt-4.1": (2.0, 0.5, 8.0),
    "gpt-4.1-mini": (0.4, 0.1, 1.6),
    "gpt-4.1-nano": (0.1, 0.025, 0.4),
    "gpt-4o": (2.5, 1.25, 10.0),
    "gpt-4o-mini": (0.15, 0.075, 0.6),
    "o3": (2.0, 0.5, 8.0),
    "o4-mini": (1.1, 0.275, 4.4),
}
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_MILLION = 1_000_000
_FRAME = 400  # tokens of the schema and of what stands around messages
_LIKELY_BYTES = 4  # of text in a token
_LIKELY_OUTPUT = 300


class Price(NamedTuple):
    """US dollars per million tokens."""

    input: float
    cached: float
    output: float

    def of(self, usage: Usage) -> float:
        """What these tokens cost, in US dollars."""
        fresh = max(usage.input_tokens - usage.cached_tokens, 0)
        money = (
            fresh * self.input
            + usage.cached_tokens * self.cached
            + usage.output_tokens * self.output
        )
        return money / _MILLION


class Estimate(NamedTuple):
    """What classifying will take: tokens, and US dollars where the price is known.

    Attributes:
        calls: one for each document with text.
        likely: dollars if nothing is asked twice and answers are as long as usual.
        most: dollars that the calls cannot exceed, without retries.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    likely: float | None
    most: float | None


def price_of(model: str, own: Mapping[str, Sequence[float]]) -> Price | None:
    """The price of a model; None where it is unknown.

    Args:
        model: its name; a dated name has the price of the name without a date.
        own: prices that go before the table.
    """
    for name in (model, _SNAPSHOT.sub("", model)):
        found = own.get(name) or PRICES.get(name)
        if found:
            return Price(*found)
    return None


def at_most(characters: str, output_tokens: int) -> Usage:
    """Tokens that a question cannot exceed: each is at least one byte of the text."""
    return Usage(len(characters.encode("utf-8", "replace")) + _FRAME, 0, output_tokens)


def likely(characters: str) -> Usage:
    """Tokens that a question takes as a rule."""
    size = len(characters.encode("utf-8", "replace"))
    return Usage(size // _LIKELY_BYTES + _FRAME, 0, _LIKELY_OUTPUT)


def estimate(questions: Sequence[str], price: Price | None, output_tokens: int) -> Estimate:
    """What asking these questions will take.

    Args:
        questions: the text of each.
        price: of the model.
        output_tokens: most of one answer.
    """
    usual = [likely(question) for question in questions]
    bound = [at_most(question, output_tokens) for question in questions]
    return Estimate(
        calls=len(questions),
        input_tokens=sum(each.input_tokens for each in usual),
        output_tokens=sum(each.output_tokens for each in usual),
        likely=None if price is None else round(sum(map(price.of, usual)), 6),
        most=None if price is None else round(sum(map(price.of, bound)), 6),
    )
