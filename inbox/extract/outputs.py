"""What was read, in the forms that can be asked for."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

from inbox.errors import UnsupportedOutput
from inbox.extract import sniff
from inbox.extract.options import Shape
from inbox.extract.worded import worded
from inbox.model import Document, Page

Output = Literal["text", "markdown", "words", "pdf"]
MEDIA_TYPES: dict[Output, str] = {
    "text": "text/plain; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "words": "application/json",
    "pdf": "application/pdf",
}
SHAPES: dict[Output, Shape] = {
    "text": "plain", "markdown": "markdown", "words": "words", "pdf": "words",
}  # fmt: skip
# A thousandth of a page is finer than a letter.
_DIGITS = 5


def output_of(name: str) -> Output:
    """The output of this name.

    Raises:
        UnsupportedOutput: there is none.
    """
    for known in get_args(Output):
        if name == known:
            return known  # type: ignore[no-any-return]
    raise UnsupportedOutput(f"The output is one of {', '.join(get_args(Output))}.")


def text(document: Document) -> bytes:
    """Plain text in UTF-8, pages parted by form feeds."""
    return (document.text + "\n").encode()


def markdown(document: Document) -> bytes:
    """Markdown in UTF-8, pages parted by a rule with a remark that says which page begins."""
    pages = [page.text for page in document.pages]
    said = pages[0] if pages else ""
    for number, page in enumerate(pages[1:], 2):
        said += f"\n\n<!-- page {number} -->\n\n---\n\n{page}"
    return (said + "\n").encode()


def words(document: Document) -> bytes:
    """JSON: of each page its size in points, and its words with their boxes as shares of it."""
    pages = [_page(page) for page in document.pages]
    said = {"media_type": document.media_type, "pages": pages}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _page(page: Page) -> dict[str, Any]:
    shown = worded(page)
    return {
        **shown.model_dump(mode="json", exclude={"words", "index", "from_layer"}),
        "words": [
            {
                "text": word.text,
                "confidence": round(word.confidence, 4),
                "box": [round(edge, _DIGITS) for edge in word.box],
            }
            for word in shown.words
        ],
    }


def refuse_pdf_of(media_type: str) -> None:
    """Let pass what a searchable PDF can be made of.

    Raises:
        UnsupportedOutput: it is neither a PDF nor a picture.
    """
    if media_type != sniff.PDF and not media_type.startswith("image/"):
        raise UnsupportedOutput("A searchable PDF can be made of PDFs and pictures only.")
