"""A second opinion on hard pages: neural detection and recognition, without Tesseract.

It costs several times Tesseract's processor time, and reads receipts, forms and photographs that
Tesseract does not. Its models come with the library.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from inbox.extract.ocr import NOTHING, Box, Line, Reading, Word

if TYPE_CHECKING:
    from PIL.Image import Image

NAME = "rapidocr"
# Larger pictures take more than a gigabyte, and read no better.
_LONG_SIDE = 1600
_AREA = 2_000_000
# Boxes whose middles are nearer than this share of their height stand on one line.
_SAME_LINE = 0.5
# It is never less sure than this, however wrong; stretched to the whole scale, its confidence can
# be held against Tesseract's.
_GUESSING = 0.8
_PARAMETERS = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "EngineConfig.onnxruntime.enable_cpu_mem_arena": False,
    "Global.log_level": "critical",
    "Global.max_side_len": _LONG_SIDE,
    "Global.use_cls": False,
    "Rec.rec_batch_num": 1,
}


class _Box(NamedTuple):
    left: float
    middle: float
    height: float
    text: str
    score: float
    place: Box = (0, 0, 0, 0)


def available() -> bool:
    """Whether the library is installed."""
    return all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime", "cv2"))


@functools.cache
def load() -> Any:
    """The engine. To be called before a process gives up the right to start threads."""
    import cv2
    import rapidocr

    cv2.setNumThreads(0)
    return rapidocr.RapidOCR(params=_PARAMETERS)


def read(image: Image) -> Reading:
    """Read one picture in gray."""
    import numpy as np

    side = min(_LONG_SIDE, math.isqrt(_AREA * max(image.size) // min(image.size)))
    small = image.copy()
    small.thumbnail((side, side))
    found = load()(np.asarray(small.convert("RGB")))
    if found.txts is None or found.boxes is None:
        return NOTHING
    boxes = [
        _box(corners, text, score, small.size)
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        if text.strip()
    ]
    return in_lines(boxes) if boxes else NOTHING


def _box(corners: Any, text: str, score: float, size: tuple[int, int]) -> _Box:
    xs, ys = [float(x) for x, _ in corners], [float(y) for _, y in corners]
    wide, high = size
    place = (min(xs) / wide, min(ys) / high, max(xs) / wide, max(ys) / high)
    middle, height = sum(ys) / len(ys), max(ys) - min(ys)
    return _Box(min(xs), middle, height, text.strip(), trust(score), place)


def _words(box: _Box) -> Iterator[Word]:
    """The words of a box, which share its width by their letters."""
    left, top, right, bottom = box.place
    step = (right - left) / len(box.text)
    for found in re.finditer(r"\S+", box.text):
        place = (left + step * found.start(), top, left + step * found.end(), bottom)
        yield Word(found[0], box.score, place)


def trust(score: float) -> float:
    """The engine's own confidence, 0 to 1, on Tesseract's scale."""
    return min(1.0, max(0.0, (float(score) - _GUESSING) / (1 - _GUESSING)))


def in_lines(boxes: list[_Box]) -> Reading:
    """Boxes in the order of the engine, which follows crooked lines; neighbours become one line."""
    rows: list[list[_Box]] = []
    for box in boxes:
        last = rows[-1][-1] if rows else None
        if (
            last is not None
            and box.left > last.left
            and abs(box.middle - last.middle) < _SAME_LINE * min(box.height, last.height)
        ):
            rows[-1].append(box)
        else:
            rows.append([box])
    lines = []
    for row in rows:
        text = " ".join(box.text for box in row)
        words = tuple(word for box in row for word in _words(box))
        lines.append(Line(text, sum(box.score for box in row) / len(row), words))
    text = "\n".join(line.text for line in lines)
    confidence = sum(box.score for box in boxes) / len(boxes)
    return Reading(text, confidence, len(text.split()), tuple(lines))
