"""What kind of document the bytes are, by content alone."""

from __future__ import annotations

import re
import zlib

from inbox.errors import (
    CorruptFile,
    DecompressionBomb,
    EmptyFile,
    EncryptedFile,
    TypeMismatch,
    UnsupportedType,
)
from inbox.extract import archive, foreign, locked, markup, plain

PDF = "application/pdf"
MSG = "application/vnd.ms-outlook"
EML = "message/rfc822"
HTML = "text/html"
CSV = "text/csv"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
RTF = "application/rtf"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"
HEIC = "image/heic"
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
    (re.compile(rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL), HEIC),
    # Two letters are a weak sign: the size of the header must be one that exists.
    (re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL), BMP),
)
_FRAGMENT = 64
_LEGACY = {
    "WordDocument": DOC,
    "Workbook": XLS,
    "Book": XLS,
    "PowerPoint Document": PPT,
}


# Formats that begin with a mark: plain text under such a name is something else, or was lost.
_MARKED = {
    "bmp", "docx", "epub", "gif", "jpeg", "jpg", "msg", "odp", "ods", "odt", "png", "pptx", "tif",
    "tiff", "webp", "xlsx", "zip",
}  # fmt: skip
_GZIP = b"\x1f\x8b"
_MAX_NESTING = 4


def media_type(data: bytes, name: str | None = None) -> str:
    """The media type of `data`.

    Args:
        data: the bytes, which decide.
        name: what the file is called; only what looks like plain text is held against it.

    Raises:
        TypeMismatch: it is plain text, and its name claims a format that is none.
        DecompressionBomb: it is built to swell beyond all bounds.
        ReadTimeout: it is built to keep its reader busy.
        XmlDtdForbidden: it is XML with a document type.
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
        return _checked(_kind_of_text(data), name)
    if data.startswith(_GZIP):
        _refuse_swelling(data)
    foreign.refuse_harmful(data, name)
    raise UnsupportedType(f"The file is {_name_of(data)}, which no reader is for.")


def _checked(kind: str, name: str | None) -> str:
    """The kind of a text, if the file's name does not claim what no text can be."""
    claimed = (name or "").rpartition(".")[2].lower()
    if kind in {TEXT, MARKDOWN} and claimed == "pdf":
        # Its marks are looked for everywhere, so one without any has lost them all.
        raise CorruptFile("The file is called a PDF, and nothing of one is in it.")
    if kind in {TEXT, MARKDOWN} and claimed in _MARKED:
        raise TypeMismatch("The file is plain text, and its name claims a format that is not.")
    return kind


def _refuse_swelling(data: bytes) -> None:
    """Tell a bomb from an archive that is merely not wanted.

    Raises:
        DecompressionBomb: the archive holds archives without end, or swells beyond all bounds.
    """
    for _ in range(_MAX_NESTING):
        unpacking = zlib.decompressobj(wbits=31)
        most = max(archive.RATIO_FROM_BYTES, archive.MAX_RATIO * len(data))
        try:
            inner = unpacking.decompress(data, most)
        except zlib.error:
            return
        if unpacking.unconsumed_tail:
            raise DecompressionBomb("The archive is built to swell when it is opened.")
        if not inner.startswith(_GZIP):
            return
        data = inner
    raise DecompressionBomb("The archive holds archives within archives without end.")


def _is_damaged_pdf(data: bytes) -> bool:
    """Whether junk stands before a PDF, or the head of one was lost."""
    if plain.looks_like_mail(data):
        return False  # with a PDF attached as it is
    objects = b" obj" in data[:4096] and b"endobj" in data
    return b"%PDF-" in data[:1024] or objects or b"startxref\n" in data[:64]


def _inside_ole(data: bytes) -> str:
    """What an OLE container holds, by the names in its directory."""
    if locked.is_locked(data):
        raise EncryptedFile("The document is locked; send its password with the job.")
    if _ole_name("__properties_version1.0") in data:
        return MSG
    for name, kind in _LEGACY.items():
        if _ole_name(name) in data:
            return kind
    raise UnsupportedType("The file is an OLE container that no reader is for.")


def _ole_name(name: str) -> bytes:
    return (name + "\0").encode("utf-16-le")


def _kind_of_text(data: bytes) -> str:
    if data.startswith(b"{\\rtf"):
        return RTF
    if data.startswith(b"%!PS"):
        raise UnsupportedType(
            "The file is a PostScript program, which no reader is for; save it as PDF."
        )
    if plain.looks_like_mail(data):
        return EML
    head = plain.decode(data[: 64 * 1024])
    if plain.looks_like_html(head):
        return HTML
    if head.lstrip("\ufeff \t\r\n").startswith("<?xml"):
        markup.refuse_doctype(head[: markup.HEAD].encode("utf-8", "replace"))
    if plain.mark_of_csv(head) is not None:
        return CSV
    return MARKDOWN if plain.looks_like_markdown(head) else TEXT


def _name_of(data: bytes) -> str:
    """What a binary is, for a person."""
    import filetype

    if len(data) < _FRAGMENT:
        raise CorruptFile("The file is a fragment of a few bytes.")
    kind = filetype.guess(data[:8192])
    return "binary data" if kind is None else f"of type {kind.mime}"
