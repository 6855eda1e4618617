"""Tesseract as a library, in the process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from inbox.errors import ConfigurationError
from inbox.extract.ocr import NOTHING, USUAL, Line, Reading, Way, Word, turned

if TYPE_CHECKING:
    from PIL.Image import Image

# Tesseract's own scale; below, it guesses as often as it knows.
_SURE_OF_ORIENTATION = 2.0


class Tesserocr:
    """Keeps the language model loaded; a forked child inherits it."""

    name = "tesserocr"

    def __init__(self, languages: str, folder: str) -> None:
        import tesserocr

        self._library: Any = tesserocr
        self._folder = folder
        try:
            self._api = tesserocr.PyTessBaseAPI(
                path=folder,
                lang=languages,
                psm=tesserocr.PSM.AUTO,
                oem=tesserocr.OEM.LSTM_ONLY,
            )
        except RuntimeError:
            raise ConfigurationError("Tesseract cannot load its language files.") from None

    def read(self, image: Image, dpi: int, way: Way = USUAL) -> Reading:
        """Read one picture; see `Engine`."""
        psm = self._library.PSM
        self._api.SetPageSegMode(psm.SINGLE_BLOCK if way.block else psm.AUTO)
        self._api.SetVariable("thresholding_method", "2" if way.local_threshold else "0")
        self._api.SetImage(image)
        self._api.SetSourceResolution(dpi)
        try:
            if not self._api.Recognize():
                return NOTHING
            text = self._api.GetUTF8Text()
            confidences = self._api.AllWordConfidences()
            lines: tuple[Line, ...] = ()
            if text.strip():
                lines = tuple(self._words(image) if way.words else self._lines())
        except RuntimeError:  # a picture without anything that could be a line
            return NOTHING
        finally:
            self._api.Clear()
        if not text.strip() or not confidences:
            return NOTHING
        mean = sum(confidences) / len(confidences) / 100
        turn = turn_of(lines)  # the engine reads sideways print without a word about it
        return Reading(text, mean, len(confidences), tuple(upright(lines, turn)), turn)

    def _lines(self) -> Iterator[Line]:
        level = self._library.RIL.TEXTLINE
        for found in self._library.iterate_level(self._api.GetIterator(), level):
            text = found.GetUTF8Text(level).strip()
            if text:
                yield Line(text, found.Confidence(level) / 100)

    def _words(self, image: Image) -> Iterator[Line]:
        wide, high = image.size
        line_level, level = self._library.RIL.TEXTLINE, self._library.RIL.WORD
        words: list[Word] = []
        for found in self._library.iterate_level(self._api.GetIterator(), level):
            if words and found.IsAtBeginningOf(line_level):
                yield line_of(words)
                words = []
            text, box = found.GetUTF8Text(level).strip(), found.BoundingBox(level)
            if text and box:
                shares = (box[0] / wide, box[1] / high, box[2] / wide, box[3] / high)
                words.append(Word(text, found.Confidence(level) / 100, shares))
        if words:
            yield line_of(words)

    def rotation(self, image: Image, dpi: int) -> int | None:
        """See `Engine`."""
        library = self._library
        try:
            with library.PyTessBaseAPI(
                path=self._folder, lang="osd", psm=library.PSM.OSD_ONLY
            ) as finder:
                finder.SetImage(image)
                finder.SetSourceResolution(dpi)
                found = finder.DetectOS()
        except RuntimeError:  # no osd.traineddata in this folder
            return None
        if not found or found["oconfidence"] < _SURE_OF_ORIENTATION:
            return None
        return int(found["orientation"]) * 90


def turn_of(lines: Iterable[Line]) -> int:
    """How a page must be turned for most of its lines to run from left to right."""
    turns: Counter[int] = Counter()
    for line in lines:
        if len(line.words) > 1:
            first, last = line.words[0].box, line.words[-1].box
            across, down = (
                last[0] + last[2] - first[0] - first[2],
                last[1] + last[3] - first[1] - first[3],
            )
            if abs(across) >= abs(down):
                turns[0 if across >= 0 else 180] += 1
            else:
                turns[90 if down > 0 else 270] += 1
    return turns.most_common(1)[0][0] if turns else 0


def upright(lines: Iterable[Line], turn: int) -> Iterator[Line]:
    """The lines where they stand once the page is turned."""
    for line in lines:
        words = (word._replace(box=turned(word.box, turn)) for word in line.words)
        yield line._replace(words=tuple(words)) if turn else line


def line_of(words: list[Word]) -> Line:
    """Words that stand on one line."""
    mean = sum(word.confidence for word in words) / len(words)
    return Line(" ".join(word.text for word in words), mean, tuple(words))
