"""EPUB: a book of web pages."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from typing import Any
from urllib.parse import unquote

from inbox.errors import CorruptFile, TooManyPages
from inbox.extract import office, partition, plain
from inbox.extract.options import Options
from inbox.extract.text import native_pages
from inbox.model import Page

_CONTAINER = "META-INF/container.xml"
_WEB_PAGES = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml"}

# What is missing or malformed; refusals of the XML library are ValueErrors.
_DAMAGED = (
    KeyError, ValueError, SyntaxError, StopIteration, zipfile.BadZipFile, zlib.error, EOFError,
)  # fmt: skip


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """A page for each of its web pages, in the order of reading.

    Raises:
        CorruptFile: its table of contents is missing or damaged.
        NotLoaded: this process is not the one that has the library.
        TooManyPages: it has more parts than pages are allowed.
    """
    import defusedxml.ElementTree

    say = office.markdown if options.shape == "markdown" else office.readable
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            root = defusedxml.ElementTree.fromstring(opened.read(_CONTAINER))
            place = next(e.get("full-path", "") for e in root.iter() if _tag(e) == "rootfile")
            names = _in_order(defusedxml.ElementTree.fromstring(opened.read(place)), place)
            if len(names) > options.max_pages:
                raise TooManyPages(f"The document has more than {options.max_pages} pages.")
            texts = [_text(opened, name, say) for name in names]
    except _DAMAGED:
        raise CorruptFile("The book has no readable table of contents.") from None
    return native_pages(texts or [""], options)


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _in_order(package: Any, place: str) -> list[str]:
    items = {e.get("id"): e for e in package.iter() if _tag(e) == "item"}
    names = []
    for reference in (e.get("idref") for e in package.iter() if _tag(e) == "itemref"):
        item = items.get(reference)
        if item is not None and item.get("media-type") in _WEB_PAGES:
            path = unquote(item.get("href", "").partition("#")[0])
            names.append(posixpath.normpath(posixpath.join(posixpath.dirname(place), path)))
    return names


def _text(opened: zipfile.ZipFile, name: str, say: partition.Say) -> str:
    try:
        markup = plain.decode(opened.read(name))
    except KeyError:  # listed, and not there
        return ""
    return partition.html_text(markup, say)
