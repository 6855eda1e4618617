"""What kind of document the bytes are, by content alone."""

from __future__ import annotations

import re

from inbox.errors import CorruptFile, EmptyFile, EncryptedFile, UnsupportedType
from inbox.extract import archive, plain

PDF = "application/pdf"
MSG = "application/vnd.ms-outlook"
EML = "message/rfc822"
HTML = "text/html"
CSV = "text/csv"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
PNG, JPEG, TIFF, WEBP, BMP, GIF = (
    "image/png", "image/jpeg", "image/tiff", "image/webp", "image/bmp", "image/gif",
)  # fmt: skip

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_IMAGES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PNG),
    (re.compile(rb"\xff\xd8\xff"), JPEG),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), TIFF),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WEBP),
    (re.compile(rb"GIF8[79]a"), GIF),
    # Two letters are a weak sign: the size of the header must be one that exists.
    (re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL), BMP),
)
_FRAGMENT = 64
_LEGACY = {
    "WordDocument": "a Word document of the old kind (.doc); save it as .docx or PDF",
    "Workbook": "an Excel workbook of the old kind (.xls); save it as .xlsx",
    "Book": "an Excel workbook of the old kind (.xls); save it as .xlsx",
    "PowerPoint Document": "a PowerPoint file of the old kind (.ppt); save it as .pptx or PDF",
}


def media_type(data: bytes) -> str:
    """The media type of `data`.

    Raises:
        EmptyFile: there is nothing in it.
        UnsupportedType: it is something that no reader is for.
        CorruptFile: it claims to be something that it is not.
        EncryptedFile: it is locked with a password.
    """
    if not data:
        raise EmptyFile("The file has no bytes.")
    if data.startswith(b"%PDF-"):
        return PDF
    image = next((kind for magic, kind in _IMAGES if magic.match(data)), None)
    if image is not None:
        return image
    if data.startswith(b"PK"):
        return archive.media_type(data)
    if data.startswith(_OLE):
        return _inside_ole(data)
    if _is_damaged_pdf(data):
        return PDF
    if plain.is_text(data) or plain.looks_like_mail(data):
        return _kind_of_text(data)
    raise UnsupportedType(f"The file is {_name_of(data)}, which no reader is for.")


def _is_damaged_pdf(data: bytes) -> bool:
    """Whether junk stands before a PDF, or the head of one was lost."""
    if plain.looks_like_mail(data):
        return False  # with a PDF attached as it is
    objects = b" obj" in data[:4096] and b"endobj" in data
    return b"%PDF-" in data[:1024] or objects or b"startxref\n" in data[:64]


def _inside_ole(data: bytes) -> str:
    """What an OLE container holds, by the names in its directory."""
    if _ole_name("EncryptedPackage") in data:
        raise EncryptedFile("The document is locked with a password.")
    if _ole_name("__properties_version1.0") in data:
        return MSG
    for name, what in _LEGACY.items():
        if _ole_name(name) in data:
            raise UnsupportedType(f"The file is {what}.")
    raise UnsupportedType("The file is an OLE container that no reader is for.")


def _ole_name(name: str) -> bytes:
    return (name + "\0").encode("utf-16-le")


def _kind_of_text(data: bytes) -> str:
    if data.startswith((b"{\\rtf", b"%!PS")):
        what = "an RTF document" if data[1:2] == b"\\" else "a PostScript program"
        raise UnsupportedType(f"The file is {what}, which no reader is for; save it as PDF.")
    if plain.looks_like_mail(data):
        return EML
    head = plain.decode(data[: 64 * 1024])
    if plain.looks_like_html(head):
        return HTML
    if plain.declares_doctype(head):
        raise UnsupportedType("The file is XML with a document type of its own.")
    if plain.looks_like_csv(head):
        return CSV
    return MARKDOWN if plain.looks_like_markdown(head) else TEXT


def _name_of(data: bytes) -> str:
    """What a binary is, for a person."""
    import filetype

    if len(data) < _FRAGMENT:
        raise CorruptFile("The file is a fragment of a few bytes.")
    kind = filetype.guess(data[:8192])
    return "binary data" if kind is None else f"of type {kind.mime}"
