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
from inbox.extract.ocr import tessdata
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


Box = tuple[float, float, float, float]
# Specks, patterns and shadows are read as words of a confidence about this.
NOISE = 0.3


class Word(NamedTuple):
    """A word, and where it stands.

    Attributes:
        text: as it is written.
        confidence: 0 to 1.
        box: left, top, right and bottom edge as shares of the page's width and height, 0 to 1.
    """

    text: str
    confidence: float
    box: Box


class Line(NamedTuple):
    """A line of print, with the mean confidence of its words, 0 to 1.

    Attributes:
        words: its words one by one, where they were asked for.
    """

    text: str
    confidence: float
    words: tuple[Word, ...] = ()


class Reading(NamedTuple):
    """What an engine saw.

    Attributes:
        text: lines and paragraphs.
        confidence: mean word confidence, 0 to 1; 0 where there is no word.
        words: how many words.
        lines: the lines one by one.
        turn: how the picture was turned before it was read, in degrees counter-clockwise.
    """

    text: str
    confidence: float
    words: int
    lines: tuple[Line, ...]
    turn: int = 0

    @property
    def worth(self) -> float:
        """Letters in runs as long as words, as far as the engine trusts them more than noise.

        Decides between two readings of one page: noise has short runs, and noise read with
        confidence is rare; but of specks there may be ten times as many as letters.
        """
        return sum(
            sum(map(len, _RUN.findall(line.text))) * max(0.0, line.confidence - NOISE)
            for line in self.lines
        )


NOTHING = Reading("", 0.0, 0, ())


class Way(NamedTuple):
    """How a picture is to be read.

    Attributes:
        local_threshold: tell ink from paper by each spot's surroundings (uneven light).
        block: take all print for one column, line by line, and look for no layout.
        words: tell where each word stands.
    """

    local_threshold: bool = False
    block: bool = False
    words: bool = False


USUAL = Way()


class Engine(Protocol):
    """A reader of pictures. One object serves one process, one call at a time."""

    name: str

    def read(self, image: Image, dpi: int, way: Way = USUAL) -> Reading:
        """Read a gray picture.

        Args:
            image: mode L.
            dpi: dots per inch of the print, true or estimated.
            way: how.
        """
        ...

    def rotation(self, image: Image, dpi: int) -> int | None:
        """Degrees counter-clockwise that set the page upright; None where it cannot be told."""
        ...


def engine(options: Options) -> Engine | None:
    """The engine that the options ask for, loaded once; None for "none".

    Raises:
        ConfigurationError: the engine, its program or a language is missing.
    """
    if options.ocr_engine == "none":
        return None
    return _made(options.ocr_engine, options.ocr_languages, options.tessdata_dir)


@functools.lru_cache(maxsize=1)
def _made(name: str, languages: str, folder: str | None) -> Engine:
    where = ENGINES.get(name)
    if where is None:
        raise ConfigurationError(f"There is no OCR engine named {name}.")
    module, _, kind = where.partition(":")
    made: Engine = getattr(importlib.import_module(module), kind)(
        languages, tessdata.folder(languages, folder)
    )
    return made


def turned(box: Box, turn: int) -> Box:
    """A box on a page, after the page was turned counter-clockwise.

    Args:
        box: left, top, right and bottom edge as shares of the page.
        turn: degrees, a multiple of 90; less than 0 turns clockwise.
    """
    for _ in range(turn // 90 % 4):
        left, top, right, bottom = box
        box = (top, 1 - right, bottom, 1 - left)
    return box
