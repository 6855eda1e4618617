"""What is asked of a document, and what is said of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inbox.model.values import Fraction, Row, Value


class Label(Value):
    """A class that a document can be given.

    Attributes:
        name: what results say.
        description: what it means, for a reader who does not know it.
        cues: words and phrases that such documents hold.
        examples: texts of such documents, or their beginnings.
    """

    name: str = Field(min_length=1, max_length=64)
    description: str = Field(default="", max_length=1000)
    cues: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=50
    )
    examples: tuple[Annotated[str, Field(min_length=1, max_length=4000)], ...] = Field(
        default=(), max_length=500, repr=False
    )


class Evidence(Row):
    """A quote that stands verbatim on the page."""

    quote: str
    page: int


class Alternative(Row):
    """A label that was considered."""

    label: str
    confidence: Fraction


class FieldWanted(Value):
    """A fact that is to be found in a document.

    Attributes:
        kind: how a value is checked against its quote: a date (ISO 8601), an amount, or text.
    """

    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")
    description: str = Field(default="", max_length=1000)
    kind: Literal["text", "date", "amount"] = "text"


class FieldFound(Row):
    """A fact, and the quote that it stands in, on a page counted from 1."""

    name: str
    value: str
    quote: str
    page: int


class Cost(Row):
    """What asking a model took.

    Attributes:
        calls: requests that a server may have charged.
        money: in US dollars; None where the model's price is unknown.
        from_cache: the answer was kept from an earlier call, and cost nothing now.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    money: float | None = None
    from_cache: bool = False


class Split(Row):
    """One of several documents that seem to be in one file.

    Attributes:
        first_page: counted from 1.
        last_page: the last page that belongs to it.
        label: what it seems to be.
        confidence: estimated probability that a document begins at `first_page`; None for the
            first, which begins there by itself.
    """

    first_page: int
    last_page: int
    label: str | None = None
    confidence: Fraction | None = None


class FileDetails(Row):
    """What a step says of a file beyond its label.

    Attributes:
        summary: what the model says the document is about.
        fields: the facts that were asked for, each with a quote that stands in the document.
        cost: what asking the model took.
        children: how many files were found inside it.
        container: whether it is nothing but a case for those, and so has no label.
        not_unpacked: the code of why they were left inside.
        splits: the documents that seem to be in it, where several are; a proposal, nothing is cut.
    """

    summary: str | None = None
    fields: tuple[FieldFound, ...] = ()
    cost: Cost | None = None
    children: int = 0
    container: bool = False
    not_unpacked: str | None = None
    splits: tuple[Split, ...] = ()


class Classification(Value):
    """What a classifier says of a document.

    Attributes:
        label: one of the labels asked for; None where there is nothing to go by.
        confidence: estimated probability that `label` is right.
        evidence: quotes that stand in the document and speak for the label.
        needs_review: whether a person should look.
        review_reasons: why, as stable codes.
        alternatives: the likeliest labels, best first.
        classifier: which classifier decided, with its version.
        details: what else was found.
    """

    label: str | None
    confidence: Fraction | None
    evidence: tuple[Evidence, ...] = ()
    needs_review: bool = False
    review_reasons: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    classifier: str
    details: FileDetails = FileDetails()
