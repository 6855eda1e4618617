"""Pictures on a PDF page: where they are, how they look, what is written in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from inbox.extract.ocr import USUAL, Box, Engine, Line, Reading, Way
from inbox.extract.worded import within

if TYPE_CHECKING:
    from PIL.Image import Image

DPI = 300
# A poster at 300 dpi would fill the memory; its print is large.
MAX_SIDE = 5000
# In points: what is lower or narrower holds no word.
_MIN_WIDTH, _MIN_HEIGHT = 40, 12
# With more pictures than this, the page is read as a whole.
_MAX_FIGURES = 8
# A photograph reads as noise; a line is kept if it is likely print.
_MIN_CONFIDENCE = 0.7
_MIN_LETTERS = 3
# A line whose words mostly stand in the text layer is the text layer seen again.
_KNOWN_SHARE = 0.5
_MAX_NESTING = 6


class Figure(NamedTuple):
    """A picture on a page: its box in page units, and its share of the page's area."""

    left: float
    bottom: float
    right: float
    top: float
    cover: float


def figures_of(page: Any) -> list[Figure]:
    """The pictures of a page, clipped to it."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    x0, y0, x1, y1 = page.get_bbox()
    area = max(1.0, (x1 - x0) * (y1 - y0))
    found = []
    for drawn in page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,), max_depth=_MAX_NESTING):
        try:
            left, bottom, right, top = _on_page(drawn)
        except pypdfium2.PdfiumError:
            continue
        left, right = max(left, x0), min(right, x1)
        bottom, top = max(bottom, y0), min(top, y1)
        if right > left and top > bottom:
            cover = (right - left) * (top - bottom) / area
            found.append(Figure(left, bottom, right, top, cover))
    return found


def all_drawn(page: Any) -> bool:
    """Whether every picture of a page can be decoded."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    for drawn in page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,), max_depth=_MAX_NESTING):
        try:
            drawn.get_bitmap().close()
        except pypdfium2.PdfiumError:
            return False
    return True


def _on_page(drawn: Any) -> tuple[float, float, float, float]:
    """The box of an object; one inside a form is placed by the forms around it."""
    left, bottom, right, top = drawn.get_bounds()
    corners = [(left, bottom), (left, top), (right, bottom), (right, top)]
    form = drawn.container
    while form is not None:
        matrix = form.get_matrix()
        corners = [matrix.on_point(x, y) for x, y in corners]
        form = form.container
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def render(page: Any, dpi: int = DPI) -> tuple[Image, int]:
    """The page in gray at this resolution or, where it is large, a lower one, which is told."""
    bitmap, scale = _bitmap(page, dpi)
    try:
        picture: Image = bitmap.to_pil().copy()
    finally:
        bitmap.close()
    return picture, _dpi(scale)


def _bitmap(page: Any, dpi: int = DPI) -> tuple[Any, float]:
    side = MAX_SIDE * dpi / DPI
    scale = min(dpi / 72, side / max(1.0, *page.get_size()))
    return page.render(scale=scale, grayscale=True), scale


def _dpi(scale: float) -> int:
    return max(70, round(scale * 72))


def said_besides(
    text: str,
    page: Any,
    figures: Sequence[Figure],
    engine: Engine,
    seen: dict[bytes, Reading],
    *,
    way: Way = USUAL,
) -> list[Line]:
    """Lines written inside pictures that the text layer does not have.

    Args:
        text: the text layer.
        page: the open page.
        figures: its pictures.
        engine: what reads them.
        seen: readings of pictures by their content, kept from page to page.
        way: how to read.
    """
    bitmap, scale = _bitmap(page)
    try:
        whole = bitmap.to_pil()
        converter = bitmap.get_posconv(page)
        large = [figure for figure in figures if _can_hold_words(figure)]
        if len(large) > _MAX_FIGURES:
            parts = [(0, 0, *whole.size)]
        else:
            parts = [_box(figure, converter, whole.size) for figure in large]
        crops = [(_shares(part, whole.size), whole.crop(part)) for part in parts]
    finally:
        bitmap.close()
    known = set(_words(text))
    lines = []
    for part, crop in crops:
        reading = _read_once(crop, _dpi(scale), engine, seen, way)
        for line in within(part, reading.lines):
            words = _words(line.text)
            letters = sum(map(len, words))
            new = sum(word not in known for word in words) > (1 - _KNOWN_SHARE) * len(words)
            if line.confidence >= _MIN_CONFIDENCE and letters >= _MIN_LETTERS and new:
                lines.append(line)
                known.update(words)
    return lines


def _can_hold_words(figure: Figure) -> bool:
    wide, high = figure.right - figure.left, figure.top - figure.bottom
    return min(wide, high) >= _MIN_HEIGHT and max(wide, high) >= _MIN_WIDTH


def _box(figure: Figure, converter: Any, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The figure in pixels of the rendered page, which may be turned."""
    xs, ys = zip(
        converter.to_bitmap(figure.left, figure.bottom),
        converter.to_bitmap(figure.right, figure.top),
        strict=True,
    )
    left, upper = max(0, min(xs)), max(0, min(ys))
    right, lower = min(size[0], max(xs)), min(size[1], max(ys))
    return left, upper, max(left + 1, right), max(upper + 1, lower)


def _shares(part: tuple[int, int, int, int], size: tuple[int, int]) -> Box:
    left, top, right, bottom = part
    return left / size[0], top / size[1], right / size[0], bottom / size[1]


def _read_once(
    crop: Image, dpi: int, engine: Engine, seen: dict[bytes, Reading], way: Way
) -> Reading:
    key = hashlib.sha256(crop.tobytes() + repr(crop.size).encode()).digest()
    if key not in seen:
        seen[key] = engine.read(crop, dpi, way)
    return seen[key]


def _words(text: str) -> list[str]:
    return ["".join(filter(str.isalnum, word)) for word in text.casefold().split() if len(word) > 1]
