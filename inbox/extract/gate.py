"""One library decides what a PDF holds, as libraries disagree on odd ones."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

from inbox.errors import CorruptFile, EncryptedFile, TooManyPages
from inbox.extract import forms
from inbox.extract.damage import Damage, places

_FAULTS = (ValueError, RuntimeError, TypeError)


class Passed(NamedTuple):
    """A PDF that opens.

    Attributes:
        sound: the bytes to read, mended where that was needed.
        mended: whether it was needed.
        values: filled-in form fields by page index.
        places: where each page of the file stands in the document; what is missing was lost.
        total: how many pages the document has, with those that are lost.
        damage: asks what else is missing.
        opened: the PDF; to be closed.
    """

    sound: bytes
    mended: bool
    values: dict[int, list[str]]
    places: tuple[int, ...]
    total: int
    damage: Damage
    opened: Any


def passed(data: bytes, max_pages: int) -> Passed:
    """Open a PDF.

    Raises:
        EncryptedFile: it does not open with the empty password.
        CorruptFile: it does not open.
        TooManyPages: it has more pages than allowed.
    """
    import pikepdf

    try:
        opened = pikepdf.open(io.BytesIO(data), inherit_page_attributes=False)
        there = places(opened, max_pages)
        count = len(opened.pages)
    except pikepdf.PasswordError:
        raise EncryptedFile("The PDF is locked with a password.") from None
    except (pikepdf.PdfError, *_FAULTS):
        raise CorruptFile("The PDF is damaged and does not open.") from None
    if not count:
        raise CorruptFile("The PDF has no pages.")
    if count > max_pages:
        raise TooManyPages(f"The document has more than {max_pages} pages.")
    if sum(there) != count:
        there = [True] * count
    try:
        values = forms.filled_in(opened)
        mended = not _agreed(data, count)
        sound = _mended(opened) if mended else data
    except (pikepdf.PdfError, *_FAULTS):
        raise CorruptFile("The PDF is damaged and does not open.") from None
    return Passed(
        sound=sound,
        mended=mended,
        values=values,
        places=tuple(place for place, present in enumerate(there) if present),
        total=len(there),
        damage=Damage(opened, data),
        opened=opened,
    )


def mended(data: bytes) -> bytes:
    """The bytes of a PDF that opens, as the deciding library writes them.

    Raises:
        CorruptFile: it does not open.
    """
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(data)) as opened:
            return _mended(opened)
    except (pikepdf.PdfError, *_FAULTS):
        raise CorruptFile("The PDF is damaged and does not open.") from None


def _mended(opened: Any) -> bytes:
    rewritten = io.BytesIO()
    opened.save(rewritten)
    return rewritten.getvalue()


def _agreed(data: bytes, count: int) -> bool:
    """Whether the library that reads the pages sees as many."""
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(data) as tried:
            return len(tried) == count
    except pypdfium2.PdfiumError:
        return False
