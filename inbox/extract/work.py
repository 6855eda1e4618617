"""What happens in the child: bytes in, pages out."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import Any

from inbox.errors import ConfigurationError
from inbox.extract import archive, sniff
from inbox.extract.options import Options
from inbox.model import Document, Page

Extractor = Callable[[bytes, Options], tuple[Page, ...]]

# To read another kind: write a module with a function `read`, and name it here.
EXTRACTORS: dict[str, str] = {
    sniff.PDF: "inbox.extract.pdf",
    sniff.PNG: "inbox.extract.image",
    sniff.JPEG: "inbox.extract.image",
    sniff.TIFF: "inbox.extract.image",
    sniff.WEBP: "inbox.extract.image",
    sniff.BMP: "inbox.extract.image",
    sniff.GIF: "inbox.extract.image",
    sniff.TEXT: "inbox.extract.text",
    sniff.EML: "inbox.extract.mail",
    sniff.MSG: "inbox.extract.outlook",
    sniff.HTML: "inbox.extract.partition",
    sniff.CSV: "inbox.extract.partition",
    sniff.MARKDOWN: "inbox.extract.partition",
    archive.DOCX: "inbox.extract.partition",
    archive.PPTX: "inbox.extract.partition",
    archive.XLSX: "inbox.extract.partition",
}

# What to answer where the file needs libraries that this process has not loaded.
ELSEWHERE = "elsewhere"


def read(data: bytes, argument: dict[str, Any]) -> Any:
    """The document in `data` as a JSON value, or ELSEWHERE.

    Raises:
        InboxError: the file cannot be read.
    """
    from inbox.extract.office import NotLoaded

    options = Options.model_validate(argument)
    kind = sniff.media_type(data)
    extractor: Extractor = importlib.import_module(EXTRACTORS[kind]).read
    try:
        pages = extractor(data, options)
    except NotLoaded:
        return ELSEWHERE
    return Document(media_type=kind, pages=pages).model_dump(mode="json")


def warm_light(argument: dict[str, Any]) -> None:
    """Load what PDF, pictures, mail and text need, and the OCR engine with its model."""
    from inbox.extract import ocr, office

    office.FORBIDDEN = True
    for name in sorted({*EXTRACTORS.values(), "PIL.Image", "pikepdf", "pypdfium2"}):
        importlib.import_module(name)
    with contextlib.suppress(ConfigurationError):  # said again when a page needs the engine
        ocr.engine(Options.model_validate(argument))


def warm_office(_: dict[str, Any]) -> None:
    """Load what office files and web pages need besides."""
    from inbox.extract import office

    for name in sorted(set(EXTRACTORS.values())):
        importlib.import_module(name)
    office.load()
    sys.setrecursionlimit(5000)  # documents nest deeper than programs
