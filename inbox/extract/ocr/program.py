"""Tesseract as the program that the system has installed."""

from __future__ import annotations

import shlex
import shutil
from itertools import groupby
from typing import TYPE_CHECKING, Any

from inbox.errors import ConfigurationError
from inbox.extract.ocr import NOTHING, USUAL, Line, Reading, Way, Word

if TYPE_CHECKING:
    from PIL.Image import Image

_SURE_OF_ORIENTATION = 2.0


class Pytesseract:
    """Starts the program for every picture; for those who keep their own build of it."""

    name = "pytesseract"

    def __init__(self, languages: str, folder: str) -> None:
        import pytesseract

        self._library: Any = pytesseract
        if shutil.which(pytesseract.pytesseract.tesseract_cmd) is None:
            raise ConfigurationError(
                "The program tesseract is not installed, which INBOX_OCR_ENGINE=pytesseract needs. "
                "Install it, or set INBOX_OCR_ENGINE=tesserocr."
            )
        self._languages = languages
        self._folder = shlex.quote(folder)

    def read(self, image: Image, dpi: int, way: Way = USUAL) -> Reading:
        """Read one picture; see `Engine`."""
        psm = 6 if way.block else 3
        config = f"--psm {psm} --oem 1 --dpi {dpi} --tessdata-dir {self._folder}"
        if way.local_threshold:
            config += " -c thresholding_method=2"
        data = self._library.image_to_data(
            image, lang=self._languages, config=config, output_type=self._library.Output.DICT
        )
        return _reading(data, image.size if way.words else None)

    def rotation(self, image: Image, dpi: int) -> int | None:
        """See `Engine`."""
        config = f"--psm 0 --dpi {dpi} --tessdata-dir {self._folder}"
        try:
            found = self._library.image_to_osd(
                image, config=config, output_type=self._library.Output.DICT
            )
        except self._library.TesseractError:  # too few letters, or no osd.traineddata
            return None
        if float(found["orientation_conf"]) < _SURE_OF_ORIENTATION:
            return None
        return int(found["orientation"])


def _reading(data: dict[str, list[Any]], size: tuple[int, int] | None = None) -> Reading:
    keys = ["block_num", "par_num", "line_num", "conf", "text"]
    keys += ["left", "top", "width", "height"] if size else []
    words = [
        word for word in zip(*(data[key] for key in keys), strict=True) if str(word[4]).strip()
    ]
    if not words:
        return NOTHING
    lines = []
    text = ""
    last = None
    for (block, paragraph, _), group in groupby(words, key=lambda word: word[:3]):
        said = list(group)
        line = " ".join(str(word[4]) for word in said)
        boxed = tuple(_word(word, size) for word in said) if size else ()
        lines.append(Line(line, _mean(said), boxed))
        text += ("\n" if last not in (None, (block, paragraph)) else "") + line + "\n"
        last = (block, paragraph)
    return Reading(text, _mean(words), len(words), tuple(lines))


def _word(row: tuple[Any, ...], size: tuple[int, int]) -> Word:
    left, top, wide, high = row[5:]
    box = (left / size[0], top / size[1], (left + wide) / size[0], (top + high) / size[1])
    return Word(str(row[4]), max(0.0, float(row[3]) / 100), box)


def _mean(words: list[tuple[Any, ...]]) -> float:
    return max(0.0, sum(float(word[3]) for word in words) / len(words) / 100)
