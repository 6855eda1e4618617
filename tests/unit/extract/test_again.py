"""The second engine, and when it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter

from inbox.extract import Reader, again
from inbox.extract.ocr import Line, Reading, rapid
from inbox.extract.options import Options
from inbox.model import Page, PageSource
from inbox.settings import Settings

needs_engine = pytest.mark.skipif(not rapid.available(), reason="rapidocr is not installed")


def page(confidence: float, source: PageSource = PageSource.OCR, text: str = "some words") -> Page:
    """A page as the first engine read it."""
    return Page(number=1, text=text, source=source, engine="tesserocr", confidence=confidence)


@pytest.mark.parametrize(
    ("ladder", "confidence", "hard"),
    [
        ("fast", 0.1, False),
        ("balanced", 0.7, True),
        ("balanced", 0.9, False),
        ("thorough", 0.9, True),
        ("thorough", 0.95, False),
    ],
)
def test_the_ladder_says_which_pages_are_hard(ladder: Any, confidence: float, hard: bool) -> None:
    """The higher the ladder, the more pages are read again."""
    assert again.is_hard(page(confidence), Options(ocr_ladder=ladder)) is hard


def test_pages_that_the_second_engine_cannot_help_are_left() -> None:
    """Text layers, and languages that it does not know, are not its business."""
    assert again.is_hard(page(0.0, PageSource.UNREADABLE, ""), Options())
    assert not again.is_hard(page(0.5), Options(ocr_languages="deu"))
    layer = Page(number=1, text="words", source=PageSource.TEXT_LAYER)
    assert not again.is_hard(layer, Options(ocr_ladder="thorough"))


def test_the_reading_with_more_trusted_words_is_kept() -> None:
    """Noise does not replace words, and words replace noise."""
    words = Reading("Passport number 7", 0.98, 3, (Line("Passport number 7", 0.98),))
    specks = Reading("a, i: o", 0.99, 3, (Line("a, i: o", 0.99),))
    first = page(0.8, text="Passport of somebody")
    assert again.better(first, specks) is first
    found = again.better(page(0.3, text="Pas sp rt nu m"), words)
    assert (found.text, found.engine) == ("Passport number 7", "rapidocr")
    assert again.better(page(0.0, PageSource.UNREADABLE, ""), words).source is PageSource.OCR


def test_boxes_of_a_row_become_one_line() -> None:
    """A name and its price, far apart on one line, are read as one line."""
    boxes = [
        rapid._Box(10, 100, 20, "Coffee", 0.9),
        rapid._Box(400, 103, 20, "2.50", 0.8),
        rapid._Box(10, 140, 20, "Tea", 0.7),
    ]
    reading = rapid.in_lines(boxes)
    assert reading.text == "Coffee 2.50\nTea"
    assert reading.lines[0].confidence == pytest.approx(0.85)
    assert reading.words == 3


def test_the_second_engine_is_trusted_less_than_it_asks() -> None:
    """A score that this engine gives to nonsense counts for nothing."""
    assert rapid.trust(0.75) == 0
    assert rapid.trust(0.9) == pytest.approx(0.5)
    assert rapid.trust(1.0) == 1


@needs_engine
def test_a_blurred_photograph_is_read_again(
    put: Callable[[bytes], Path], letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """Print too blurred for the first engine is read by the second, and the page says so."""
    small = letter.resize((letter.width // 3, letter.height // 3), Image.Resampling.LANCZOS)
    data = put(saved(small.filter(ImageFilter.GaussianBlur(1.6)), "PNG"))
    with Reader(Settings(_env_file=None, ocr_ladder="fast")) as reader:
        first = reader.read(data).pages[0]
    with Reader(Settings(_env_file=None, ocr_ladder="thorough")) as reader:
        second = reader.read(data).pages[0]
    assert first.engine == "tesserocr"
    assert second.engine == "rapidocr"
    assert "Northwind Trading Company" in second.text
