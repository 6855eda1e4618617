"""What was read out of a file."""

from __future__ import annotations

from enum import StrEnum

from inbox.model.values import Fraction, Row, Value


class PageSource(StrEnum):
    """Where the text of a page came from."""

    TEXT_LAYER = "text_layer"
    OCR = "ocr"
    TEXT_LAYER_AND_OCR = "text_layer+ocr"
    NATIVE = "native"  # formats that are text: mail, office, HTML
    BLANK = "blank"  # nothing is on the page
    UNREADABLE = "unreadable"  # something is on the page, and no engine could read it


class Page(Row):
    """One page as it was read.

    Attributes:
        number: counted from 1.
        text: what stands on the page.
        source: where the text came from.
        engine: the OCR engine, where one was used.
        confidence: mean word confidence of the OCR engine, 0 to 1.
        hidden: how many characters of the text a reader of the page cannot see.
    """

    number: int
    text: str
    source: PageSource
    engine: str | None = None
    confidence: Fraction | None = None
    hidden: int = 0


class Document(Value):
    """What was read out of a file.

    Attributes:
        media_type: what it is, by its content.
        pages: none where the file is a container.
        children: how many files are inside it, as far as they were looked for.
        container: whether it is nothing but a case for those.
        not_unpacked: the code of why they were left inside; None where they were not.
    """

    media_type: str
    pages: tuple[Page, ...]
    children: int = 0
    container: bool = False
    not_unpacked: str | None = None

    @property
    def text(self) -> str:
        """The text of all pages, parted by form feeds."""
        return "\f".join(page.text for page in self.pages)

    @property
    def ocr_pages(self) -> int:
        """How many pages OCR had a part in."""
        return sum(
            page.source in {PageSource.OCR, PageSource.TEXT_LAYER_AND_OCR} for page in self.pages
        )
