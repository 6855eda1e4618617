"""What happens in the child: bytes in, pages out."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import Any

from inbox.errors import ConfigurationError, PermanentError
from inbox.extract import again, archive, containers, locked, office, packages, searchable, sniff
from inbox.extract.ocr import rapid
from inbox.extract.options import Options, Unpacking
from inbox.extract.plan import Batch, Plan
from inbox.extract.worded import WordedPage
from inbox.model import Page

Extractor = Callable[[bytes, Options], tuple[Page, ...]]

# To read another kind: write a module with a function `read`, and name it here. One whose pages can
# be read apart from each other has the functions `plan` and `read_pages` instead.
EXTRACTORS: dict[str, str] = {
    sniff.PDF: "inbox.extract.pdf",
    sniff.PNG: "inbox.extract.image",
    sniff.JPEG: "inbox.extract.image",
    sniff.TIFF: "inbox.extract.image",
    sniff.WEBP: "inbox.extract.image",
    sniff.BMP: "inbox.extract.image",
    sniff.GIF: "inbox.extract.image",
    sniff.HEIC: "inbox.extract.image",
    sniff.TEXT: "inbox.extract.text",
    sniff.EML: "inbox.extract.mail",
    sniff.MSG: "inbox.extract.outlook",
    sniff.HTML: "inbox.extract.partition",
    sniff.CSV: "inbox.extract.sheets",
    sniff.MARKDOWN: "inbox.extract.partition",
    archive.ZIP: "inbox.extract.containers.zips",
    archive.DOCX: "inbox.extract.partition",
    archive.PPTX: "inbox.extract.partition",
    archive.XLSX: "inbox.extract.sheets",
    packages.ODT: "inbox.extract.opendocument",
    packages.ODS: "inbox.extract.opendocument",
    packages.ODP: "inbox.extract.opendocument",
    packages.EPUB: "inbox.extract.epub",
    sniff.RTF: "inbox.extract.rtf",
    sniff.DOC: "inbox.extract.legacy",
    sniff.XLS: "inbox.extract.legacy",
    sniff.PPT: "inbox.extract.legacy",
}

# What to answer where the file needs libraries that this process has not loaded.
ELSEWHERE = "elsewhere"
# The kinds that this process reads; None for all.
_only: set[str] | None = None


def work(data: bytes, argument: dict[str, Any]) -> Any:
    """What the child answers, as a JSON value.

    With a batch in `argument`, the pages of it; with pages for a searchable PDF, that; with an
    output, the files that are inside, whose bytes are there; else the plan, or ELSEWHERE.

    Raises:
        InboxError: the file cannot be read.
    """
    options = Options.model_validate(argument["options"] | argument.get("secret", {}))
    data = locked.unlocked(data, options.passwords)
    if "output" in argument:
        limits = options.unpack or Unpacking()
        return containers.unpack(data, options, limits, argument["output"])
    if argument.get("searchable") is not None:
        pages = [WordedPage.model_validate(page) for page in argument["searchable"]]
        return searchable.made(data, pages, options)
    if argument.get("batch") is not None:
        batch = Batch.model_validate(argument["batch"])
        return [page.model_dump(mode="json") for page in read_batch(data, options, batch)]
    try:
        kind, found = plan(data, options, argument.get("name"))
    except office.NotLoaded:
        return ELSEWHERE
    return {"media_type": kind, "plan": found.model_dump(mode="json")}


def plan(data: bytes, options: Options, name: str | None = None) -> tuple[str, Plan]:
    """The media type, what can be read at once and what is left.

    Raises:
        InboxError: the file cannot be read.
        NotLoaded: this process is not the one that has the library.
    """
    kind = sniff.media_type(data, name)
    if _only is not None and kind not in _only:
        raise office.NotLoaded
    module = importlib.import_module(EXTRACTORS[kind])
    if hasattr(module, "plan"):
        found: Plan = module.plan(data, options)
        return kind, found
    read: Extractor = module.read
    inside = kind in containers.CONTAINERS and options.unpack is not None
    count = containers.count(kind, data, options) if inside else 0
    return kind, Plan(pages=read(data, options), inside=count)


def read_batch(data: bytes, options: Options, batch: Batch) -> list[Page]:
    """The pages of a batch, as far as they can be read.

    Raises:
        InboxError: not even the first can be read.
    """
    module = importlib.import_module(EXTRACTORS[sniff.media_type(data)])
    if batch.first is not None:
        return [again.better(batch.first, rapid.read(module.picture_of(data, options, batch)))]
    pages: list[Page] = []
    try:
        for page in module.read_pages(data, options, batch):
            pages.append(page)  # noqa: PERF402 - what came before an error is kept
    except PermanentError:
        if not pages:
            raise
    return pages


def warm_plain(_: dict[str, Any]) -> None:
    """Load what plain text needs: next to nothing."""
    global _only  # noqa: PLW0603 - this process is for nothing else
    office.FORBIDDEN = True
    _only = {sniff.TEXT}
    load_plain()


def load_plain() -> None:
    """Load what plain text needs."""
    importlib.import_module(EXTRACTORS[sniff.TEXT])


def warm_light(argument: dict[str, Any]) -> None:
    """Load what PDF, pictures, mail and text need, and the OCR engine with its model."""
    from inbox.extract import ocr

    office.FORBIDDEN = True
    modules = {*EXTRACTORS.values(), *containers.CONTAINERS.values()}
    for name in sorted(modules | {"PIL.Image", "pikepdf", "pypdfium2"}):
        importlib.import_module(name)
    with contextlib.suppress(ConfigurationError):  # said again when a page needs the engine
        ocr.engine(Options.model_validate(argument["options"]))


def warm_office(_: dict[str, Any]) -> None:
    """Load what office files and web pages need besides."""
    for name in sorted(set(EXTRACTORS.values())):
        importlib.import_module(name)
    office.load()
    sys.setrecursionlimit(5000)  # documents nest deeper than programs
