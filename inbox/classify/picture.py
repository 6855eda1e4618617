"""A picture of an evaluation: reliability, confusion, and what reviewing catches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inbox.classify.evaluation import Evaluation

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_SIDE = 360
_MARGIN = 60
_INK, _PALE, _BLUE, _RED = (30, 30, 30), (205, 210, 215), (40, 100, 190), (200, 60, 40)
_LONGEST_NAME = 20
_MOST_ROWS = 40
_TICKS = 5


def draw(evaluation: Evaluation, path: Path) -> None:
    """Write the reliability diagram and the confusion table side by side as PNG.

    Raises:
        OSError: the file cannot be written.
    """
    from PIL import Image, ImageDraw

    names = sorted(evaluation.confusion)[:_MOST_ROWS]
    cell = max(18, _SIDE // max(len(names), 1))
    left = 2 * _MARGIN + _SIDE + 180
    size = (left + cell * len(names) + _MARGIN, max(_SIDE, cell * len(names)) + 2 * _MARGIN + 90)
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    _reliability(pen, evaluation)
    _confusion(pen, evaluation, names, left, cell)
    picture.save(path, format="PNG")


def _reliability(pen: ImageDraw, evaluation: Evaluation) -> None:
    bottom = _MARGIN + _SIDE

    def at(x: float, y: float) -> tuple[float, float]:
        return _MARGIN + x * _SIDE, bottom - y * _SIDE

    pen.text((_MARGIN, 12), "How often a confidence is right", _INK)
    pen.text(
        (_MARGIN, 28),
        f"{evaluation.documents} documents, accuracy {evaluation.accuracy:.3f}, "
        f"calibration error {evaluation.calibration_error:.3f}",
        _INK,
    )
    for tick in range(_TICKS + 1):
        value = tick / _TICKS
        pen.line([at(value, 0), at(value, 1)], _PALE)
        pen.line([at(0, value), at(1, value)], _PALE)
        pen.text((at(value, 0)[0] - 8, bottom + 6), f"{value:.1f}", _INK)
        pen.text((_MARGIN - 28, at(0, value)[1] - 6), f"{value:.1f}", _INK)
    pen.line([at(0, 0), at(1, 1)], _INK)
    for each in evaluation.reliability:
        pen.rectangle([at(each.low, each.accuracy), at(each.high, 0)], outline=_BLUE, width=2)
        x, y = at(each.confidence, each.accuracy)
        radius = 3 + 9 * each.documents / evaluation.documents
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=_BLUE)
    if evaluation.target.threshold is not None:
        threshold = evaluation.target.threshold
        pen.line([at(threshold, 0), at(threshold, 1)], _RED, width=2)
        pen.text((at(threshold, 1)[0] - 60, _MARGIN - 14), f"from {threshold:.2f} on", _RED)
    pen.text((_MARGIN + _SIDE // 2 - 30, bottom + 24), "confidence", _INK)
    lines = [
        f"review {row.share:.0%}: {row.caught:.0%} of the errors seen" for row in evaluation.review
    ]
    pen.multiline_text((_MARGIN, bottom + 44), "\n".join(lines), _INK)


def _confusion(
    pen: ImageDraw, evaluation: Evaluation, names: list[str], left: int, cell: int
) -> None:
    pen.text((left - 160, 12), "Rows: the label it has; columns: the label it was given", _INK)
    for row, expected in enumerate(names):
        top = _MARGIN + row * cell
        given = evaluation.confusion[expected]
        total = sum(given.values())
        pen.text((left - 160, top + cell // 2 - 6), f"{row + 1} {_short(expected)}", _INK)
        pen.text((left + row * cell + cell // 2 - 4, _MARGIN - 16), str(row + 1), _INK)
        for column, found in enumerate(names):
            count = given.get(found, 0)
            hue = _BLUE if row == column else _RED
            share = count / total
            shade = tuple(round(255 - share * (255 - part)) for part in hue)
            corner = (left + column * cell, top)
            box = [corner, (corner[0] + cell - 1, top + cell - 1)]
            pen.rectangle(box, fill=shade, outline=_PALE)
            if count:
                ink = (255, 255, 255) if share > 0.5 else _INK  # noqa: PLR2004
                pen.text((corner[0] + cell // 2 - 5, top + cell // 2 - 6), str(count), ink)


def _short(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    text = printable if len(printable) <= _LONGEST_NAME else printable[: _LONGEST_NAME - 1] + "."
    return text.encode("latin-1", "replace").decode("latin-1")
