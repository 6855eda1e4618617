"""Workbooks and CSV: a page for each sheet, a line for each row.

The library that reads other office files is passed by: it takes cells that say "NA" or "None" for
empty ones, and a line break in a cell for a backslash and an n.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable
from typing import Any

from inbox.errors import CorruptFile
from inbox.extract import office, plain, sniff, text
from inbox.extract.options import Options
from inbox.model import Page

# As many as a spreadsheet shows of a number.
_DIGITS = ".15g"


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """The sheets of a workbook, each with its name; or the rows of a CSV file.

    Raises:
        CorruptFile: the workbook does not open.
        TooManyPages: it has more sheets than allowed.
    """
    marked = options.shape == "markdown"
    if sniff.media_type(data) == sniff.CSV:
        table = _csv(plain.decode(data))
        return text.native_pages([office.pipes(table) if marked else table], options)
    pages = []
    for name, table in _workbook(data):
        pages.append(f"# {name}\n\n{office.pipes(table)}" if marked else f"{name}\n{table}")
    return text.native_pages(pages, options)


def _workbook(data: bytes) -> list[tuple[str, str]]:
    """The name and the rows of each sheet."""
    try:
        return _opened(data, lean=True)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the lean way trips over sheets that are charts
        try:
            return _opened(data, lean=False)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever the library meets in a damaged file
            raise CorruptFile("The workbook does not open.") from None


def _opened(data: bytes, *, lean: bool) -> list[tuple[str, str]]:
    import openpyxl  # type: ignore[import-untyped]

    opened = openpyxl.load_workbook(
        io.BytesIO(data), read_only=lean, data_only=True, keep_links=False
    )
    found = []
    for sheet in opened.worksheets:
        if lean:
            sheet.reset_dimensions()  # what it says of its size need not be true
        found.append((sheet.title, _table(sheet.iter_rows(values_only=True))))
    return found


def _csv(source: str) -> str:
    """The rows of a CSV file; its text as it stands where it has none."""
    mark = plain.mark_of_csv(source)
    if mark is None:
        return source
    try:
        return _table(csv.reader(io.StringIO(source, newline=""), delimiter=mark))
    except csv.Error:  # a cell longer than any
        return source


def _table(rows: Iterable[Iterable[Any]]) -> str:
    """A line for each row that says something, with its cells parted by tabs."""
    lines = ("\t".join(filter(None, map(_said, row))) for row in rows)
    return "\n".join(filter(None, lines))


def _said(value: object) -> str:
    """A cell as a spreadsheet shows it when no format is set."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case float():
            return format(value, _DIGITS)
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
    return " ".join(str(value).split())
