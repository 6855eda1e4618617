"""Pages as pictures for people, with the places where quotes stand.

Rendered in a child, as everything that opens a file: see `inbox.extract.sandbox`.
"""

from __future__ import annotations

import base64
import importlib
import io
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict

from inbox.errors import ReaderCrashed
from inbox.extract import sniff
from inbox.extract.ocr import Box, Word
from inbox.extract.options import Options
from inbox.extract.sandbox import Limits, Sandbox
from inbox.extract.worded import of_layer
from inbox.extract.work import EXTRACTORS

if TYPE_CHECKING:
    from PIL.Image import Image

    from inbox.settings import Settings

__all__ = ["PageView", "Viewer"]

# Enough to read small print on a large screen; a page takes some 100 to 300 kB.
LONG_SIDE = 1600
_COLOURS = 64
_SECONDS = 60.0
_SHEET_INCHES = 11.7  # the long side of a sheet of paper
# Where every fifth word of a quote is read otherwise, it is still the same line.
_SAME_SHARE = 0.8
_FEWEST_LETTERS = 30
_MARGIN = 0.002
_TALLEST = 1.6  # of the usual height of a word: ascenders and descenders together make 1.4
_ENVIRONMENT = {"OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class PageView(BaseModel):
    """A page to look at.

    Attributes:
        png: the picture; None where the format has no pages to draw (mail, office, web pages).
        width: in pixels.
        height: in pixels.
        boxes: for each quote asked for, the boxes of its lines; none where it was not found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    png: bytes | None = None
    width: int = 0
    height: int = 0
    boxes: tuple[tuple[Box, ...], ...] = ()


class Viewer:
    """Draws pages. A context manager; any number of threads may draw at once."""

    def __init__(self, settings: Settings) -> None:
        self._argument = {"options": Options.of(settings).model_dump(mode="json")}
        self._limits = Limits(memory_bytes=settings.file_memory_bytes, cpu_seconds=int(_SECONDS))
        self._sandbox = Sandbox(
            "inbox.extract.viewer:draw", "inbox.extract.viewer:warm", self._argument, _ENVIRONMENT
        )

    def draw(self, path: Path, number: int, quotes: Sequence[str] = ()) -> PageView | None:
        """One page of the file at `path`; None where the file has no page of this number.

        Args:
            path: the file.
            number: counted from 1.
            quotes: what to find on it; on scans that takes OCR, and about a second.

        Raises:
            InboxError: the page cannot be drawn.
            OSError: `path` cannot be opened.
        """
        answer = self._sandbox.run(
            path,
            self._argument | {"number": number, "quotes": list(quotes)},
            limits=self._limits,
            seconds=_SECONDS,
        )
        if answer is None:
            return None
        try:
            png = answer.pop("png")
            found = None if png is None else base64.b64decode(png, validate=True)
            return PageView(png=found, **answer)
        except (ValueError, TypeError, AttributeError, KeyError):
            raise ReaderCrashed("The drawing process gave an answer of the wrong form.") from None

    def close(self) -> None:
        """Stop the process."""
        self._sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# -- in the child ---------------------------------------------------------------------


def warm(_: dict[str, Any]) -> None:
    """Load what draws PDFs and pictures."""
    for name in ("PIL.Image", "pikepdf", "pypdfium2", "inbox.extract.gate", "inbox.extract.image"):
        importlib.import_module(name)


def draw(data: bytes, argument: dict[str, Any]) -> dict[str, Any] | None:
    """What the child answers: see `PageView`, with the picture in base 64.

    Raises:
        InboxError: the page cannot be drawn.
    """
    options = Options.model_validate(argument["options"])
    kind = sniff.media_type(data)
    if kind == sniff.PDF:
        seen = _of_pdf(data, argument["number"], options)
    elif EXTRACTORS[kind] == EXTRACTORS[sniff.PNG]:
        seen = _of_picture(data, argument["number"], options)
    else:
        return {"png": None, "width": 0, "height": 0, "boxes": []}
    if seen is None:
        return None
    picture, words = seen
    quotes = argument["quotes"]
    boxes = [locate(words, quote) for quote in quotes]
    if quotes and not all(boxes) and sum(len(word.text) for word in words) < _FEWEST_LETTERS:
        read = _read(picture, options)
        boxes = [locate(read, quote) for quote in quotes]
    shown = _shrunk(picture)
    return {
        "png": base64.b64encode(_png(shown)).decode(),
        "width": shown.width,
        "height": shown.height,
        "boxes": boxes,
    }


def locate(words: Sequence[Word], quote: str) -> list[Box]:
    """The boxes of the lines on which `quote` stands; none where it is not found.

    Case, punctuation and spacing are not compared.
    """
    wanted = [plain for plain in map(_plain, quote.split()) if plain]
    known = [(plain, word.box) for word in words for plain in [_plain(word.text)] if plain]
    if not wanted:
        return []
    found = _spelled(known, "".join(wanted))
    if found:
        return _lines(found)
    best, start = 0, 0
    for place in range(len(known) - len(wanted) + 1):
        same = sum(known[place + step][0] == plain for step, plain in enumerate(wanted))
        if same > best:
            best, start = same, place
    if best < _SAME_SHARE * len(wanted):
        return []
    return _lines([box for _, box in known[start : start + len(wanted)]])


def _spelled(known: Sequence[tuple[str, Box]], wanted: str) -> list[Box]:
    """The boxes of the words that spell this, however they are parted (a hyphen parts a word)."""
    texts = [plain for plain, _ in known]
    ends = accumulate(map(len, texts), initial=0)
    bounds = {place: number for number, place in enumerate(ends)}  # where each word begins
    letters = "".join(texts)
    start = letters.find(wanted)
    while start >= 0:
        first, end = bounds.get(start), bounds.get(start + len(wanted))
        if first is not None and end is not None:
            return [box for _, box in known[first:end]]
        start = letters.find(wanted, start + 1)
    return []


def _lines(boxes: Iterable[Box]) -> list[Box]:
    """Boxes that stand on one line, joined."""
    joined: list[Box] = []
    for left, top, right, bottom in _level(list(boxes)):
        if joined:
            before = joined[-1]
            middle = (top + bottom) / 2
            if before[1] <= middle <= before[3] and left >= before[0]:
                joined[-1] = (
                    before[0], min(before[1], top), max(before[2], right), max(before[3], bottom),
                )  # fmt: skip
                continue
        joined.append((left, top, right, bottom))
    return [
        (_on(a - _MARGIN), _on(b - _MARGIN), _on(c + _MARGIN), _on(d + _MARGIN))
        for a, b, c, d in joined
    ]


def _level(boxes: list[Box]) -> list[Box]:
    """The boxes, with those that reach into other lines cut to the height of a word beside them.

    OCR now and then takes ink of the lines above and below for a part of a word.
    """
    usual = median(bottom - top for _, top, _, bottom in boxes)
    sound = [box for box in boxes if box[3] - box[1] <= _TALLEST * usual]

    def cut(box: Box) -> Box:
        beside = [one for one in sound if box[1] <= (one[1] + one[3]) / 2 <= box[3]]
        if box in sound or not beside:
            return box
        nearest = min(beside, key=lambda one: max(one[0] - box[2], box[0] - one[2]))
        return (box[0], nearest[1], box[2], nearest[3])

    return [cut(box) for box in boxes]


def _on(share: float) -> float:
    """Words may stand beyond the edge of their page."""
    return min(1.0, max(0.0, share))


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word.casefold()))


def _of_pdf(data: bytes, number: int, options: Options) -> tuple[Image, list[Word]] | None:
    import pypdfium2

    from inbox.errors import CorruptFile
    from inbox.extract import gate

    found = gate.passed(data, options.max_pages)
    with found.opened:
        if number - 1 not in found.places:
            return None
        index = found.places.index(number - 1)
    try:
        with pypdfium2.PdfDocument(found.sound) as document:
            if found.values:
                document.init_forms()
            page = document[index]
            scale = 2 * LONG_SIDE / max(1.0, *page.get_size())
            picture = page.render(scale=min(scale, 300 / 72)).to_pil().convert("RGB")
            return picture, of_layer(page)
    except pypdfium2.PdfiumError:
        raise CorruptFile("The page cannot be drawn.") from None


def _of_picture(data: bytes, number: int, _options: Options) -> tuple[Image, list[Word]] | None:
    from inbox.extract import image

    shown = image.shown_at(data, number - 1)
    return None if shown is None else (shown, [])


def _read(picture: Image, options: Options) -> list[Word]:
    """The words of a picture, by OCR; none where that is off."""
    from inbox.extract import ocr

    engine = ocr.engine(options)
    if engine is None:
        return []
    gray = picture.convert("L")
    dpi = max(70, round(max(gray.size) / _SHEET_INCHES))
    found = engine.read(gray, dpi, ocr.Way(words=True))
    return [word for line in found.lines for word in line.words]


def _shrunk(picture: Image) -> Image:
    import PIL.Image

    factor = LONG_SIDE / max(picture.size)
    if factor >= 1:
        return picture
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, PIL.Image.Resampling.LANCZOS)


def _png(picture: Image) -> bytes:
    import PIL.Image

    few = picture.quantize(_COLOURS, method=PIL.Image.Quantize.FASTOCTREE)
    written = io.BytesIO()
    few.save(written, "PNG", optimize=False, compress_level=6)
    return written.getvalue()
