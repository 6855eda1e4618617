"""Pages that tell where each word stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from inbox.extract.ocr import Box, Line, Reading, Word, turned
from inbox.model import Page


class WordedPage(Page):
    """A page, and where its words stand.

    Attributes:
        words: in reading order; none for formats that have no fixed places.
        turn: how the page must be turned to be read, in degrees counter-clockwise.
        index: where the page stands in the file as it opens, from 0.
        width: of the page, in points of 1/72 inch.
        height: the same.
        from_layer: how many of the words, the first ones, are those of the text layer.
    """

    words: tuple[Word, ...] = ()
    turn: int = 0
    index: int = 0
    width: float = 0
    height: float = 0
    from_layer: int = 0


def worded(page: Page) -> WordedPage:
    """The page, if need be without a word of where its words stand."""
    if isinstance(page, WordedPage):
        return page
    return WordedPage(**page.model_dump(), index=page.number - 1)


def with_words(page: Page, words: Iterable[Word], turn: int = 0) -> WordedPage:
    """The page with its words.

    Args:
        page: what was read.
        words: where its words stand.
        turn: how it must be turned to be read.
    """
    return WordedPage(**page.model_dump(), words=tuple(words), turn=turn)


def placed(page: Page, index: int, size: tuple[float, float]) -> WordedPage:
    """The page with its own place and size.

    Args:
        page: what was read, with or without words.
        index: where the page stands in the file, from 0.
        size: width and height in points.
    """
    wide, high = (round(side, 2) for side in size)
    return worded(page).model_copy(update={"index": index, "width": wide, "height": high})


def on_page(reading: Reading) -> list[Word]:
    """The words of a reading where they stand on the page as it was before it was turned."""
    return [
        word._replace(box=turned(word.box, -reading.turn))
        for line in reading.lines
        for word in line.words
    ]


def within(box: Box, lines: Iterable[Line]) -> list[Line]:
    """Lines that were read in a part of a page, placed on the page.

    Args:
        box: the part.
        lines: what was read in it.
    """
    left, top, right, bottom = box
    wide, high = right - left, bottom - top

    def placed(word: Word) -> Word:
        x0, y0, x1, y1 = word.box
        return word._replace(
            box=(left + wide * x0, top + high * y0, left + wide * x1, top + high * y1)
        )

    return [line._replace(words=tuple(map(placed, line.words))) for line in lines]


def of_layer(page: Any) -> list[Word]:
    """The words of a PDF page's text layer.

    Args:
        page: the open page of pypdfium2.
    """
    import ctypes

    import pypdfium2.raw as pdfium

    grain = 1_000_000
    layer = page.get_textpage()
    x, y = ctypes.c_int(), ctypes.c_int()

    def shares(box: tuple[float, float, float, float]) -> Box:
        corners = []
        for px, py in ((box[0], box[1]), (box[2], box[3])):
            pdfium.FPDF_PageToDevice(page, 0, 0, grain, grain, 0, px, py, x, y)
            corners.append((x.value / grain, y.value / grain))
        (x0, y0), (x1, y1) = corners
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    words: list[Word] = []
    said, boxes = "", []
    try:
        text = layer.get_text_range()
        count = layer.count_chars()
        for place in range(count + 1):
            code = pdfium.FPDFText_GetUnicode(layer, place) if place < count else 0x20
            char = chr(code) if 0 < code < 0x110000 else ""  # noqa: PLR2004
            if char.strip() and code not in _HIDDEN:
                said += char
                boxes.append(layer.get_charbox(place))
            elif not char.strip() and said:
                lefts, bottoms, rights, tops = zip(*boxes, strict=True)
                box = shares((min(lefts), min(bottoms), max(rights), max(tops)))
                words.append(Word(said, 1.0, box))
                said, boxes = "", []
    finally:
        layer.close()
    return words if text.strip() else []


# What the library puts where a word is cut at the end of a line.
_HIDDEN = {0x02, 0xFFFE}
