"""One library decides what a PDF holds, as libraries disagree on odd ones."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
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


def passed(data: bytes, max_pages: int, passwords: Sequence[str] = ()) -> Passed:
    """Open a PDF, with the first of the passwords that does it where it is locked.

    Raises:
        EncryptedFile: it does not open with the empty password, nor with any given.
        CorruptFile: it does not open.
        TooManyPages: it has more pages than allowed.
    """
    import pikepdf

    try:
        opened = _unlocked(data, passwords)
        there = places(opened, max_pages)
        count = len(opened.pages)
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
        mended = not _agreed(data, count, passwords)
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


@contextlib.contextmanager
def opened(data: bytes, passwords: Sequence[str] = ()) -> Iterator[Any]:
    """A PDF that opens, whatever its pages are like.

    Raises:
        EncryptedFile: it does not open with the empty password, nor with any given.
        CorruptFile: it does not open.
    """
    import pikepdf

    try:
        document = _unlocked(data, passwords)
    except (pikepdf.PdfError, *_FAULTS):
        raise CorruptFile("The PDF is damaged and does not open.") from None
    with document:
        yield document


def _unlocked(data: bytes, passwords: Sequence[str]) -> Any:
    import pikepdf

    for password in ("", *passwords):
        try:
            return pikepdf.open(io.BytesIO(data), password=password, inherit_page_attributes=False)
        except pikepdf.PasswordError:
            continue
    if passwords:
        raise EncryptedFile("The PDF is locked, and no password of the job opens it.")
    raise EncryptedFile("The PDF is locked; send its password with the job.")


def mended(data: bytes, passwords: Sequence[str] = ()) -> bytes:
    """The bytes of a PDF that opens, as the deciding library writes them.

    Raises:
        EncryptedFile: it does not open with the empty password, nor with any given.
        CorruptFile: it does not open.
    """
    import pikepdf

    try:
        with _unlocked(data, passwords) as document:
            return _mended(document)
    except (pikepdf.PdfError, *_FAULTS):
        raise CorruptFile("The PDF is damaged and does not open.") from None


def _mended(opened: Any) -> bytes:
    rewritten = io.BytesIO()
    opened.save(rewritten, encryption=False)
    return rewritten.getvalue()


def drawable(data: bytes, passwords: Sequence[str] = ()) -> Any:
    """The document in the library that draws pages.

    Raises:
        pypdfium2.PdfiumError: it does not open there.
    """
    import pypdfium2

    for password in ("", *passwords):
        with contextlib.suppress(pypdfium2.PdfiumError):
            return pypdfium2.PdfDocument(data, password or None)
    return pypdfium2.PdfDocument(data)


def _agreed(data: bytes, count: int, passwords: Sequence[str]) -> bool:
    """Whether the library that reads the pages sees as many."""
    import pypdfium2

    try:
        with drawable(data, passwords) as tried:
            return len(tried) == count
    except pypdfium2.PdfiumError:
        return False
