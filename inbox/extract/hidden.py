"""Text that is in the text layer of a PDF and cannot be seen on its page."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

_MOST_OBJECTS = 20_000
_SMALLEST = 2.0  # points; type of that height is a hairline
_NEAR_WHITE = 245  # of 255
_FAINT = 8  # of 255, where 0 is transparent
_INVISIBLE, _INVISIBLE_CLIPPED = 3, 7  # text rendering modes (ISO 32000-1, 9.3.6)
_COVERED = 0.5
_LONGEST = 100_000


class _Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    @property
    def area(self) -> float:
        return max(self.right - self.left, 0) * max(self.top - self.bottom, 0)

    def shared(self, other: _Box) -> float:
        return _Box(
            max(self.left, other.left),
            max(self.bottom, other.bottom),
            min(self.right, other.right),
            min(self.top, other.top),
        ).area


def hidden_characters(page: Any, layer: Any) -> int:
    """How many printable characters of the text layer a reader cannot see.

    Counted is text that is drawn in the invisible mode, transparent, smaller than two points,
    outside the page, or white with nothing dark or coloured behind it. Text that a picture lies
    under is not: a scan that can be searched carries what it shows that way.

    Args:
        page: a pypdfium2 page.
        layer: its text page.
    """
    import pypdfium2.raw as pdfium

    left, bottom, right, top = page.get_bbox()
    sheet = _Box(left, bottom, right, top)
    pictures: list[_Box] = []
    backgrounds: list[_Box] = []
    suspects: list[tuple[Any, _Box, bool]] = []
    for number, drawn in enumerate(page.get_objects(max_depth=1)):
        if number >= _MOST_OBJECTS:
            break
        box = _Box(*drawn.get_bounds())
        if drawn.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            pictures.append(box)
        elif drawn.type == pdfium.FPDF_PAGEOBJ_TEXT:
            white = _is_white(drawn)
            if _is_hidden(drawn, box, sheet) or (
                white and not _lies_on(box, [*backgrounds, *pictures])
            ):
                suspects.append((drawn, box, white))
        elif drawn.type == pdfium.FPDF_PAGEOBJ_SHADING or (
            drawn.type == pdfium.FPDF_PAGEOBJ_PATH and not _is_white(drawn)
        ):
            backgrounds.append(box)
        elif drawn.type == pdfium.FPDF_PAGEOBJ_FORM:
            backgrounds.append(box)  # what it draws is not looked into
    return sum(
        _printable(drawn, layer) for drawn, box, _ in suspects if not _lies_on(box, pictures)
    )


def _is_hidden(drawn: Any, box: _Box, sheet: _Box) -> bool:
    import pypdfium2.raw as pdfium

    mode = pdfium.FPDFTextObj_GetTextRenderMode(drawn.raw)
    if mode in {_INVISIBLE, _INVISIBLE_CLIPPED}:
        return True
    if _color(drawn)[3] <= _FAINT:
        return True
    if box.area and not box.shared(sheet):
        return True
    return min(box.top - box.bottom, box.right - box.left) > 0 and _height(drawn) < _SMALLEST


def _height(drawn: Any) -> float:
    import pypdfium2.raw as pdfium

    size = ctypes.c_float()
    if not pdfium.FPDFTextObj_GetFontSize(drawn.raw, size):
        return _SMALLEST
    a, b, c, d, _, _ = drawn.get_matrix().get()
    across, upward = (a * a + b * b) ** 0.5, (c * c + d * d) ** 0.5
    return abs(size.value) * float(max(across, upward))


def _color(drawn: Any) -> tuple[int, int, int, int]:
    import pypdfium2.raw as pdfium

    channels = [ctypes.c_uint(0) for _ in range(4)]
    if not pdfium.FPDFPageObj_GetFillColor(drawn.raw, *channels):
        return 0, 0, 0, 255
    red, green, blue, alpha = (channel.value for channel in channels)
    return red, green, blue, alpha


def _is_white(drawn: Any) -> bool:
    return min(_color(drawn)[:3]) >= _NEAR_WHITE


def _lies_on(box: _Box, others: Sequence[_Box]) -> bool:
    return any(box.shared(other) >= _COVERED * box.area > 0 for other in others)


def _printable(drawn: Any, layer: Any) -> int:
    import pypdfium2.raw as pdfium

    size = pdfium.FPDFTextObj_GetText(drawn.raw, layer.raw, None, 0)
    if not 0 < size <= _LONGEST:
        return 0
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFTextObj_GetText(drawn.raw, layer.raw, buffer, size)
    text = bytes(buffer)[:size].decode("utf-16-le", "replace")
    return len("".join(text.replace("\0", "").split()))
