"""Zip files: what they hold, and whether they are safe to open."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from inbox.errors import CorruptFile, DecompressionBomb, EncryptedFile, UnsupportedType
from inbox.extract import markup, packages

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

ZIP = "application/zip"

KINDS = {DOCX, PPTX, XLSX}

MAX_MEMBERS = 20_000
MAX_TOTAL_BYTES = 512 * 1024 * 1024
# Honest XML shrinks to a tenth, extreme spreadsheets to a hundredth; below a few MB a high ratio
# does no harm.
MAX_RATIO = 250
RATIO_FROM_BYTES = 16 * 1024 * 1024

_HEADER_BYTES = 30  # of each member, before its name

_MAIN_PARTS = {"word/document": DOCX, "ppt/presentation": PPTX, "xl/workbook": XLSX}
_MAIN_TYPES = {
    b"wordprocessingml.document.main+xml": DOCX,
    b"presentationml.presentation.main+xml": PPTX,
    b"spreadsheetml.sheet.main+xml": XLSX,
}
_UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError)


def media_type(data: bytes) -> str:
    """The media type of a zip file, after checking that it is safe to open.

    Raises:
        CorruptFile: it is damaged.
        DecompressionBomb: it is built to swell beyond all bounds.
        XmlDtdForbidden: its markup declares a document type.
        EncryptedFile: its members are locked with a password.
        UnsupportedType: it is a document of a kind that no reader is for.
    """
    with opened(data) as container:
        if _is_archive(container):
            return ZIP
        _check_sizes(container)
        kind = _kind(container)
        if kind != packages.EPUB:  # web pages have a document type, and are no XML here
            _check_markup(container)
    return kind


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[zipfile.ZipFile]:
    """A zip file whose members lie beside each other.

    Raises:
        CorruptFile: it is damaged.
        DecompressionBomb: its members share their bytes, or are beyond counting.
        EncryptedFile: what is read of it is locked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as container:
            _check_places(container)
            yield container
    except _UNREADABLE:
        raise CorruptFile("The zip container is damaged.") from None
    except RuntimeError:  # what zipfile raises where it lacks a password
        raise EncryptedFile("The zip container is locked with a password.") from None


def _check_places(container: zipfile.ZipFile) -> None:
    """Members that overlap make a small file of a large one again and again."""
    members = sorted(container.infolist(), key=lambda member: member.header_offset)
    if len(members) > MAX_MEMBERS:
        raise DecompressionBomb("The zip container holds more than any real document.")
    end = 0
    for member in members:
        if member.header_offset < end:
            raise DecompressionBomb("The members of the zip container overlap.")
        end = member.header_offset + _HEADER_BYTES + member.compress_size


def _is_archive(container: zipfile.ZipFile) -> bool:
    """Whether it is a parcel of files, and not one document or program that is packed so."""
    names = set(container.namelist())
    marks = {"[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF"}
    return not names & marks and not any(name.startswith("word/") for name in names)


def _check_sizes(opened: zipfile.ZipFile) -> None:
    members = opened.infolist()
    if any(member.flag_bits & 0x1 for member in members):
        raise EncryptedFile("The zip container is locked with a password.")
    total = sum(member.file_size for member in members)
    packed = max(1, sum(member.compress_size for member in members))
    if len(members) > MAX_MEMBERS or total > MAX_TOTAL_BYTES:
        raise DecompressionBomb("The zip container unpacks to more than any real document.")
    if total > RATIO_FROM_BYTES and total / packed > MAX_RATIO:
        raise DecompressionBomb("The zip container is built to swell when it is opened.")


def _kind(opened: zipfile.ZipFile) -> str:
    stated = packages.kind_of(opened)
    if stated is not None:
        return stated
    names = set(opened.namelist())
    if "[Content_Types].xml" in names:
        types = opened.read("[Content_Types].xml")
        for mark, kind in _MAIN_TYPES.items():
            if mark in types:
                return kind
        for stem, kind in _MAIN_PARTS.items():
            if f"{stem}.xml" in names and b"macroEnabled" not in types and b"template" not in types:
                return kind
        raise UnsupportedType(
            "The file is an office document of a kind that no reader is for; save it as .docx, "
            ".xlsx, .pptx or PDF."
        )
    if any(name.startswith("word/") for name in names):
        raise CorruptFile("The office document has no table of contents.")
    raise UnsupportedType("The file is packed as a zip, of a kind that no reader is for.")


def _check_markup(opened: zipfile.ZipFile) -> None:
    """Office markup never declares a document type; one that does wants entities to explode."""
    for member in opened.infolist():
        if not member.filename.endswith((".xml", ".rels", ".vml")):
            continue
        with opened.open(member) as part:
            head = part.read(markup.HEAD)
        markup.refuse_doctype(head)


def has_media(data: bytes) -> bool:
    """Whether an office document holds pictures or embedded objects."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return any(re.search(r"/(media|embeddings)/.", name) for name in opened.namelist())
