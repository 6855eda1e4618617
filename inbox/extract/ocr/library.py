"""Tesseract as a library, in the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inbox.errors import ConfigurationError
from inbox.extract.ocr import NOTHING, Line, Reading, tessdata_folder
from inbox.extract.options import Options

if TYPE_CHECKING:
    from PIL.Image import Image

# Tesseract's own scale; below, it guesses as often as it knows.
_SURE_OF_ORIENTATION = 2.0


class Tesserocr:
    """Keeps the language model loaded; a forked child inherits it."""

    name = "tesserocr"

    def __init__(self, options: Options) -> None:
        import tesserocr

        self._library: Any = tesserocr
        self._folder = tessdata_folder(options)
        try:
            self._api = tesserocr.PyTessBaseAPI(
                path=self._folder,
                lang=options.ocr_languages,
                psm=tesserocr.PSM.AUTO,
                oem=tesserocr.OEM.LSTM_ONLY,
            )
        except RuntimeError:
            raise ConfigurationError("Tesseract cannot load its language files.") from None

    def read(self, image: Image, dpi: int, *, local_threshold: bool = False) -> Reading:
        """Read one picture; see `Engine`."""
        self._api.SetVariable("thresholding_method", "2" if local_threshold else "0")
        self._api.SetImage(image)
        self._api.SetSourceResolution(dpi)
        try:
            if not self._api.Recognize():
                return NOTHING
            text = self._api.GetUTF8Text()
            confidences = self._api.AllWordConfidences()
            lines = self._lines() if text.strip() else ()
        except RuntimeError:  # a picture without anything that could be a line
            return NOTHING
        finally:
            self._api.Clear()
        if not text.strip() or not confidences:
            return NOTHING
        mean = sum(confidences) / len(confidences) / 100
        return Reading(text, mean, len(confidences), lines)

    def _lines(self) -> tuple[Line, ...]:
        level = self._library.RIL.TEXTLINE
        lines = []
        for found in self._library.iterate_level(self._api.GetIterator(), level):
            text = found.GetUTF8Text(level).strip()
            if text:
                lines.append(Line(text, found.Confidence(level) / 100))
        return tuple(lines)

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
