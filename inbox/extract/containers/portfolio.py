"""PDF: files that are embedded, in a portfolio or beside the pages."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from inbox.errors import CorruptFile
from inbox.extract import gate
from inbox.extract.containers import Entry
from inbox.extract.options import Options, Unpacking

_FAULTS = (ValueError, RuntimeError, TypeError, KeyError, AttributeError)


def count(data: bytes, options: Options) -> int:
    """How many files are embedded."""
    with gate.opened(data, options.passwords) as document:
        return inside(document)[0]


def inside(document: Any) -> tuple[int, bool]:
    """How many files are embedded in an open PDF, and whether it is nothing but a case for them.

    The pages of a portfolio say that one needs a program for portfolios, and no more.
    """
    try:
        found = len(list(_specifications(document)))
        return found, bool(found) and "/Collection" in document.Root
    except _FAULTS:
        return 0, False


def entries(data: bytes, options: Options) -> Iterator[Entry]:
    """The embedded files, those of the document before those of its pages.

    Raises:
        EncryptedFile: it does not open without a password.
        CorruptFile: it does not open.
    """
    limits = options.unpack or Unpacking()
    with gate.opened(data, options.passwords) as document:
        for number, spec in enumerate(_specifications(document), start=1):
            yield Entry(_name(spec, number), lambda spec=spec: [_content(spec, limits)])  # type: ignore[misc]


def _specifications(document: Any) -> Iterator[Any]:
    """File specifications with bytes: by the document's name tree, then by notes on pages."""
    import pikepdf

    seen = set()
    for spec in [*_by_name(document), *_by_note(document)]:
        if isinstance(spec, pikepdf.Dictionary) and "/EF" in spec:
            stream = _stream(spec)
            if stream is not None and stream.objgen not in seen:
                seen.add(stream.objgen)
                yield spec


def _by_name(document: Any) -> Iterator[Any]:
    import pikepdf

    names = document.Root.get("/Names")
    if isinstance(names, pikepdf.Dictionary) and "/EmbeddedFiles" in names:
        tree = pikepdf.NameTree(names.EmbeddedFiles)
        for key in sorted(tree):
            yield tree[key]


def _by_note(document: Any) -> Iterator[Any]:
    import pikepdf

    for page in document.pages:
        notes = page.obj.get("/Annots")
        for note in notes if isinstance(notes, pikepdf.Array) else ():
            if isinstance(note, pikepdf.Dictionary) and note.get("/Subtype") == "/FileAttachment":
                yield note.get("/FS")


def _stream(spec: Any) -> Any:
    import pikepdf

    for key in ("/UF", "/F", "/DOS", "/Mac", "/Unix"):
        stream = spec.EF.get(key)
        if isinstance(stream, pikepdf.Stream):
            return stream
    return None


def _name(spec: Any, number: int) -> str:
    for key in ("/UF", "/F"):
        if key in spec:
            name = str(spec[key]).strip()
            if name:
                return name
    return f"attachment {number}"


def _content(spec: Any, limits: Unpacking) -> bytes:
    """The bytes, unpacked no further than one file may be long."""
    import pikepdf

    stream = _stream(spec)
    filters = (
        [str(each) for each in stream.get("/Filter", [])]
        if isinstance(stream.get("/Filter"), pikepdf.Array)
        else [str(stream.get("/Filter"))]
    )
    try:
        if "/DecodeParms" not in stream and filters == ["/FlateDecode"]:
            inflating = zlib.decompressobj()
            return inflating.decompress(stream.read_raw_bytes(), limits.max_file_bytes + 1)
        return bytes(stream.read_bytes())
    except (pikepdf.PdfError, zlib.error, *_FAULTS):
        raise CorruptFile("The embedded file does not decode.") from None
