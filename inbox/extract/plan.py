"""What was read of a document at once, and what is left for processes of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from inbox.errors import CorruptFile, PermanentError
from inbox.extract.worded import WordedPage
from inbox.model import Page, PageSource

_READ = {
    PageSource.TEXT_LAYER, PageSource.OCR, PageSource.TEXT_LAYER_AND_OCR, PageSource.NATIVE,
}  # fmt: skip


class Wanted(BaseModel):
    """A page that is still to be read.

    Attributes:
        place: where it stands in the document, from 0.
        index: where it stands in the file as it opens, from 0; differs where pages are lost.
        values: what was typed into its form fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: int
    index: int
    values: tuple[str, ...] = ()


class Batch(BaseModel):
    """Pages for one process.

    Attributes:
        pages: which.
        repaired: whether the file must be mended before its pages can be read.
        forms: whether it has filled-in form fields.
        first: what the first engine made of the only page, where another is to read it again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pages: tuple[Wanted, ...]
    repaired: bool = False
    forms: bool = False
    first: Page | WordedPage | None = None


class Plan(BaseModel):
    """A document as far as it was read.

    Attributes:
        pages: all pages; one that is still to be read holds what is known of it, as unreadable.
        batches: what is still to be read.
        lost: whether the file lacks pages, or parts of them.
        inside: how many files are inside it, where they are looked for.
        container: whether it is nothing but a case for those.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pages: tuple[Page, ...]
    batches: tuple[Batch, ...] = ()
    lost: bool = False
    inside: int = 0
    container: bool = False


def without(plan: Plan, known: Collection[int]) -> Plan:
    """What is left of a plan where the pages with these numbers, from 1, need not be read."""
    left = (
        tuple(page for page in batch.pages if page.place + 1 not in known) for batch in plan.batches
    )
    batches = (
        batch.model_copy(update={"pages": pages})
        for batch, pages in zip(plan.batches, left, strict=True)
        if pages
    )
    return plan.model_copy(update={"batches": tuple(batches)})


def settle(plan: Plan, found: Mapping[int, Page], failed: Iterable[PermanentError]) -> list[Page]:
    """All pages: those of the plan, with those that were read since.

    Args:
        plan: what was read at once.
        found: pages read since, by their place.
        failed: why others could not be read; they stay unreadable.

    Raises:
        PermanentError: no page could be read, and this is why.
    """
    pages = [found.get(place, page) for place, page in enumerate(plan.pages)]
    if not any(page.source in _READ for page in pages):
        for error in failed:
            raise error
        if plan.lost:
            raise CorruptFile("The document is damaged; what stood on its pages is lost.")
    return pages
