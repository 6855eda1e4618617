"""Rich Text Format."""

from __future__ import annotations

import re

from inbox.errors import CorruptFile
from inbox.extract import office
from inbox.extract.options import Options
from inbox.extract.text import native_pages
from inbox.model import Page

# The library ends each cell of a row with a bar.
_ROWS = re.compile(r"(?:^.*\|$\n?)+", re.MULTILINE)


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """One page, as the format has no fixed ones.

    Raises:
        CorruptFile: it cannot be taken apart.
        TooManyPages: never for one page.
    """
    from striprtf.striprtf import rtf_to_text

    try:
        said = rtf_to_text(data.decode("latin-1"), encoding="cp1252", errors="replace")
    except (ValueError, IndexError, KeyError, LookupError, TypeError, RecursionError):
        raise CorruptFile("The RTF document does not open.") from None
    marked = options.shape == "markdown"

    def table(found: re.Match[str]) -> str:
        rows = "\n".join(row.removesuffix("|").replace("|", "\t") for row in found[0].splitlines())
        return (f"\n{office.pipes(rows)}\n" if marked else rows) + "\n"

    return native_pages([_ROWS.sub(table, said)], options)
