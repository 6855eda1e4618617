"""Plain text."""

from __future__ import annotations

from inbox.errors import TooManyPages, UnsupportedType
from inbox.extract import chars, plain
from inbox.extract.options import Options
from inbox.model import Page, PageSource


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """A page per form feed.

    Raises:
        UnsupportedType: the bytes are no text.
        TooManyPages: more form feeds than pages are allowed.
    """
    if not plain.is_text(data):
        raise UnsupportedType("The file is binary data, which no reader is for.")
    return native_pages(plain.decode(data).split("\f"), options)


def native_pages(texts: list[str], options: Options) -> tuple[Page, ...]:
    """Pages of a format that is text by itself; an empty last one is dropped.

    Raises:
        TooManyPages: there are more than the options allow.
    """
    cleaned = [chars.clean(text) for text in texts]
    while len(cleaned) > 1 and not cleaned[-1]:
        cleaned.pop()
    if len(cleaned) > options.max_pages:
        raise TooManyPages(f"The document has more than {options.max_pages} pages.")
    return tuple(
        Page(number=number, text=text, source=PageSource.NATIVE if text else PageSource.BLANK)
        for number, text in enumerate(cleaned, 1)
    )
