"""Documents, slides, web pages and Markdown, through the unstructured library."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import Any

from inbox.errors import CorruptFile, InboxError
from inbox.extract import archive, chars, office, plain, sniff, text
from inbox.extract.options import Options
from inbox.model import Page, PageSource

# Makes text of the library's elements.
Say = Callable[[list[Any]], str]
# A reading that has fewer of the letters than this has lost something on the way.
_KEPT_SHARE = 0.8
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_SILENT = re.compile(
    r"<!--.*?-->|<(script|style|title|noscript|template)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL
)
_BLOCK = re.compile(r"</?(?:p|div|tr|li|h[1-6]|br|table|ul|ol|section)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[/!?a-z][^>]*>", re.IGNORECASE)


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """The pages of the document: slides, or whole.

    Raises:
        CorruptFile: the library cannot open it.
        TooManyPages: it has more pages or slides than allowed.
    """
    kind = sniff.media_type(data)
    say = office.markdown if options.shape == "markdown" else office.readable
    pages = text.native_pages(_READERS[kind](data, say), options)
    if kind in archive.KINDS and not any(page.text for page in pages) and archive.has_media(data):
        # Pictures without a word: not blank, and nothing here reads them.
        return tuple(page.model_copy(update={"source": PageSource.UNREADABLE}) for page in pages)
    return pages


def _office(kind: str, data: bytes, **arguments: Any) -> list[Any]:
    try:
        return office.elements(kind, data, **arguments)
    except (office.NotLoaded, InboxError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - whatever the library meets in a damaged file
        raise CorruptFile("The office document does not open.") from None


def _docx(data: bytes, say: Say) -> list[str]:
    pages = _by_page(_office("docx", data), say)
    boxes = _text_boxes(data, chars.letters("".join(pages)))
    if boxes:
        pages[-1:] = ["\n".join([*pages[-1:], boxes])]
    return pages


def _text_boxes(data: bytes, known: str) -> str:
    """What stands in floating boxes and shapes, which the library passes over."""
    import docx

    name = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    lines: list[str] = []
    for box in docx.Document(io.BytesIO(data)).element.iter(f"{name}txbxContent"):
        for paragraph in box.iter(f"{name}p"):
            line = "".join(run.text or "" for run in paragraph.iter(f"{name}t")).strip()
            # A box is stored twice, for newer and for older programs.
            if line and line not in lines and chars.letters(line) not in known:
                lines.append(line)
    return "\n".join(lines)


def _pptx(data: bytes, say: Say) -> list[str]:
    return _by_page(_office("pptx", data, include_slide_notes=True), say)


def _by_page(parts: list[Any], say: Say) -> list[str]:
    """Texts by page number; what has none (headers, footers) goes with its neighbours."""
    pages: list[list[Any]] = [[]]
    current = 1
    for part in parts:
        number = part.metadata.page_number
        if number is not None and number > current:
            pages.extend([] for _ in range(min(number - current, 10_000)))
            current = number
        pages[-1].append(part)
    return [say(page) for page in pages]


def _html(data: bytes, say: Say) -> list[str]:
    return [html_text(plain.decode(data), say)]


def html_text(markup: str, say: Say = office.readable) -> str:
    """What a web page says, with its title.

    Args:
        markup: the page.
        say: makes text of the library's elements.

    Raises:
        NotLoaded: this process is not the one that has the library.
    """
    office.load()
    data = markup.encode("utf-8", "replace")
    try:
        body = say(office.elements("html", data))
    except Exception:  # noqa: BLE001 - markup so odd that only its letters can be had
        body = ""
    title, words = _bare_words(markup)
    # The library stops, without a word, where markup is nested too deep for it.
    if len(chars.letters(body)) < _KEPT_SHARE * len(chars.letters(words)):
        body = words
    return f"{title}\n{body}" if title and title not in body else body


def _bare_words(markup: str) -> tuple[str, str]:
    """The title and all that is written on a web page, without its layout.

    By patterns, as parsers stop at some depth of nesting.
    """
    found = _TITLE.search(markup)
    title = " ".join(html.unescape(_TAG.sub("", found[1])).split()) if found else ""
    written = _TAG.sub(" ", _BLOCK.sub("\n", _SILENT.sub(" ", markup)))
    lines = (" ".join(line.split()) for line in html.unescape(written).splitlines())
    return title, "\n".join(filter(None, lines))


def _markdown(data: bytes, say: Say) -> list[str]:
    if say is office.markdown:
        return [plain.decode(data)]
    source = plain.decode(data)
    try:
        said = say(office.elements("md", source.encode("utf-8", "replace")))
    except office.NotLoaded:
        raise
    except Exception:  # noqa: BLE001 - text that only looks like Markdown
        return [source]
    kept = len(chars.letters(said)) >= _KEPT_SHARE * len(chars.letters(source))
    return [said if kept else source]


_READERS = {
    archive.DOCX: _docx,
    archive.PPTX: _pptx,
    sniff.HTML: _html,
    sniff.MARKDOWN: _markdown,
}
