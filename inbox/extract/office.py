"""The unstructured library, made to work without a network and without a word."""

from __future__ import annotations

import functools
import io
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from inbox.extract import sentences

# Set in a process that is to stay small: there the library is not loaded, see NotLoaded.
FORBIDDEN = False

_MODULES = {
    "docx": "partition_docx",
    "html": "partition_html",
    "md": "partition_md",
    "pptx": "partition_pptx",
}
# The library reads these when it is imported, and calls home or prints a notice without them.
SILENCE = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
}


class NotLoaded(Exception):
    """This process is not the one that has the library."""


@functools.cache
def load() -> dict[str, Callable[..., list[Any]]]:
    """The partition functions by kind of file.

    Raises:
        NotLoaded: this process is to stay small.
    """
    if FORBIDDEN:
        raise NotLoaded
    import importlib

    for name, value in SILENCE.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sentences.stand_in()
        logging.getLogger("unstructured").setLevel(logging.CRITICAL)
        return {
            kind: getattr(importlib.import_module(f"unstructured.partition.{kind}"), function)
            for kind, function in _MODULES.items()
        }


def elements(kind: str, data: bytes, **arguments: Any) -> list[Any]:
    """The elements of a document, as the library cuts it.

    Raises:
        NotLoaded: this process is not the one that has the library.
        Exception: anything, where the document is damaged.
    """
    partition = load()[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Language detection loads 55 profiles and changes nothing in the text.
        return partition(file=io.BytesIO(data), languages=[""], **arguments)


def markdown(parts: Iterable[Any]) -> str:
    """The text of elements as Markdown: headings, lists, tables, code, paragraphs."""
    blocks: list[str] = []
    listed = False
    for part in parts:
        said = _block(part)
        if not said:
            continue
        # Items of one list stand together.
        joined = listed and part.category == "ListItem"
        blocks.append(("\n" if joined else "\n\n") + said)
        listed = part.category == "ListItem"
    return "".join(blocks).strip("\n")


def _block(part: Any) -> str:
    depth = part.metadata.category_depth or 0
    said = _text_of(part).strip()
    if not said:
        return ""
    match part.category:
        case "Title":
            return f"{'#' * min(6, depth + 1)} {' '.join(said.split())}"
        case "ListItem":
            return f"{'  ' * max(0, depth - 1)}- {' '.join(said.split())}"
        case "Table" if part.metadata.text_as_html:
            return pipes(said)
        case "CodeSnippet":
            return f"```\n{part.text}\n```"
    return said


def pipes(table: str) -> str:
    """A table of lines and tabs as a Markdown table, whose first line is its head."""
    rows = [line.replace("|", r"\|").split("\t") for line in table.splitlines()]
    width = max(map(len, rows), default=0)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join([*lines[:1], "|" + "---|" * width, *lines[1:]])


def readable(parts: Iterable[Any]) -> str:
    """The text of elements: a line each, and a line for each row of a table."""
    return "\n".join(filter(None, (_text_of(part) for part in parts)))


def _text_of(part: Any) -> str:
    if part.category == "Table" and part.metadata.text_as_html:
        return table_text(part.metadata.text_as_html) or str(part.text)
    if part.category == "PageBreak":
        return ""
    return str(part.text)


def table_text(html: str) -> str:
    """A table as lines of cells parted by tabs."""
    import lxml.etree
    import lxml.html

    try:
        root = lxml.html.fromstring(html)
    except (lxml.etree.ParserError, ValueError):
        return ""
    for end in root.iter("br"):
        end.tail = f" {end.tail or ''}"
    lines = []
    for row in root.iter("tr"):
        cells = [" ".join(cell.text_content().split()) for cell in row if cell.tag in {"td", "th"}]
        line = re.sub(r"\t{2,}", "\t", "\t".join(cells)).strip("\t")
        if line:
            lines.append(line)
    return "\n".join(lines)
