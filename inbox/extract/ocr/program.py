"""Tesseract as the program that the system has installed."""

from __future__ import annotations

import shlex
import shutil
from itertools import groupby
from typing import TYPE_CHECKING, Any

from inbox.errors import ConfigurationError
from inbox.extract.ocr import NOTHING, Line, Reading, tessdata_folder
from inbox.extract.options import Options

if TYPE_CHECKING:
    from PIL.Image import Image

_SURE_OF_ORIENTATION = 2.0


class Pytesseract:
    """Starts the program for every picture; for those who keep their own build of it."""

    name = "pytesseract"

    def __init__(self, options: Options) -> None:
        import pytesseract

        self._library: Any = pytesseract
        if shutil.which(pytesseract.pytesseract.tesseract_cmd) is None:
            raise ConfigurationError(
                "The program tesseract is not installed, which INBOX_OCR_ENGINE=pytesseract needs. "
                "Install it, or set INBOX_OCR_ENGINE=tesserocr."
            )
        self._languages = options.ocr_languages
        self._folder = shlex.quote(tessdata_folder(options))

    def read(self, image: Image, dpi: int, *, local_threshold: bool = False) -> Reading:
        """Read one picture; see `Engine`."""
        config = f"--psm 3 --oem 1 --dpi {dpi} --tessdata-dir {self._folder}"
        if local_threshold:
            config += " -c thresholding_method=2"
        data = self._library.image_to_data(
            image, lang=self._languages, config=config, output_type=self._library.Output.DICT
        )
        return _reading(data)

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


def _reading(data: dict[str, list[Any]]) -> Reading:
    keys = ("block_num", "par_num", "line_num", "conf", "text")
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
        lines.append(Line(line, _mean(said)))
        text += ("\n" if last not in (None, (block, paragraph)) else "") + line + "\n"
        last = (block, paragraph)
    return Reading(text, _mean(words), len(words), tuple(lines))


def _mean(words: list[tuple[Any, ...]]) -> float:
    return max(0.0, sum(float(word[3]) for word in words) / len(words) / 100)
