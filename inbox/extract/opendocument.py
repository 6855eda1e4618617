"""OpenDocument: texts, spreadsheets and slides of LibreOffice and others."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from inbox.errors import CorruptFile, InboxError
from inbox.extract import archive, office, packages
from inbox.extract.options import Options
from inbox.extract.text import native_pages
from inbox.model import Page

_MAX_DEPTH = 30
_MAX_REPEATED = 1000
_HOLDERS = {"text:section", "text:index-body", "draw:frame", "draw:text-box", "draw:g", "text:p"}


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """The pages: the text as a whole, or each sheet, or each slide.

    Raises:
        CorruptFile: it does not open.
        NotLoaded: this process is not the one that has the library.
        TooManyPages: it has more sheets or slides than allowed.
    """
    if office.FORBIDDEN:
        raise office.NotLoaded
    import odfdo

    kind = archive.media_type(data)
    marked = options.shape == "markdown"
    try:
        body = odfdo.Document(io.BytesIO(data)).body
        if kind == packages.ODS:
            texts = [_sheet(table, marked=marked) for table in body.tables]
        elif kind == packages.ODP:
            slides = body.get_elements("draw:page")
            texts = ["\n".join(_lines(slide, 0, marked=marked)) for slide in slides]
        else:
            texts = [("\n\n" if marked else "\n").join(_lines(body, 0, marked=marked))]
    except (InboxError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - whatever the library meets in a damaged file
        raise CorruptFile("The document does not open.") from None
    return native_pages(texts or [""], options)


def _lines(holder: Any, depth: int, *, marked: bool) -> Iterator[str]:
    for part in holder.children:
        tag = part.tag
        if tag == "table:table":
            yield _table(part, marked=marked)
        elif tag in {"text:list", "text:list-item"}:
            yield from _items(part, depth, marked=marked)
        elif tag == "text:h" and marked:
            yield f"{'#' * min(6, int(part.level or 1))} {_said(part)}"
        elif tag in {"text:p", "text:h"} and not part.get_elements("descendant::draw:text-box"):
            if said := _said(part):
                yield said
        elif depth < _MAX_DEPTH and (tag in _HOLDERS or tag.startswith(("draw:", "presentation:"))):
            yield from _lines(part, depth + 1, marked=marked)


def _items(part: Any, depth: int, *, marked: bool) -> Iterator[str]:
    said = []
    for number, line in enumerate(_lines(part, depth + 1, marked=marked)):
        begins = part.tag == "text:list-item" and marked
        said.append((("- " if number == 0 else "  ") if begins else "") + line)
    if marked and part.tag == "text:list":
        yield "\n".join(said)
    else:
        yield from said


def _said(part: Any) -> str:
    return str(part.inner_text if hasattr(part, "inner_text") else part.text_recursive).strip()


def _sheet(table: Any, *, marked: bool) -> str:
    title = f"# {table.name}\n\n" if marked else f"{table.name}\n"
    return title + _table(table, marked=marked)


def _table(table: Any, *, marked: bool) -> str:
    lines: list[str] = []
    # The elements as they are: a row may claim to be repeated a million times.
    for row in table.get_elements("descendant::table:table-row"):
        line = "\t".join(_cells(row)).rstrip("\t")
        if line:
            lines += [line] * min(row.repeated or 1, _MAX_REPEATED)
    return office.pipes("\n".join(lines)) if marked else "\n".join(lines)


def _cells(row: Any) -> Iterator[str]:
    for cell in row.get_elements("table:table-cell"):
        value = cell.get_value(get_type=False)
        said = " ".join(str("" if value is None else value).split())
        yield from [said] * min(cell.repeated or 1, _MAX_REPEATED)
