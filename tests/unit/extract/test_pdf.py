"""PDF pages, and where their text comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from in_process import read
from PIL import Image

from inbox.errors import ConfigurationError, CorruptFile, EncryptedFile, TooManyPages
from inbox.extract.chars import bad_share, printable
from inbox.extract.options import Options
from inbox.model import PageSource

OPTIONS = Options()
WORDS = ("This agreement is made between the parties", "and remains in force for five years")


def test_text_layer_is_taken_as_it_is(pdf: Any) -> None:
    """A born-digital page is read without OCR."""
    (page,) = read(pdf.page(*WORDS).bytes(), OPTIONS)
    assert page.text == "\n".join(WORDS)
    assert page.source is PageSource.TEXT_LAYER
    assert page.engine is None


def test_each_page_is_decided_for_itself(pdf: Any, letter: Image.Image) -> None:
    """Scanned pages among digital ones are read, and each says where its text came from."""
    data = (
        pdf.page(picture=letter, box=(0, 200, 612, 592))
        .page(*WORDS)
        .page()
        .page(picture=letter, box=(0, 200, 612, 592))
        .bytes()
    )
    pages = read(data, OPTIONS)
    assert [page.source for page in pages] == [
        PageSource.OCR, PageSource.TEXT_LAYER, PageSource.BLANK, PageSource.OCR,
    ]  # fmt: skip
    assert [page.number for page in pages] == [1, 2, 3, 4]
    assert "Northwind Trading Company" in pages[0].text
    assert pages[0].engine == "tesserocr"
    assert pages[0].confidence > 0.8
    assert pages[2].text == ""


def test_a_stamp_over_a_scan_does_not_hide_the_scan(pdf: Any, letter: Image.Image) -> None:
    """A page number in the text layer does not stand for the whole page."""
    (page,) = read(pdf.page("Page 7", picture=letter, box=(0, 200, 612, 464)).bytes(), OPTIONS)
    assert page.source is PageSource.OCR
    assert "invoice" in page.text


def test_words_in_a_picture_are_added_once(pdf: Any, letter: Image.Image) -> None:
    """Text layer and OCR together: what only the picture says is added, nothing is doubled."""
    data = pdf.page(*WORDS, picture=letter, box=(60, 100, 500, 300)).bytes()
    (page,) = read(data, OPTIONS)
    assert page.source is PageSource.TEXT_LAYER_AND_OCR
    assert page.text.startswith("\n".join(WORDS))
    assert page.text.count("This agreement") == 1
    assert page.text.count("Northwind Trading Company") == 1


def test_words_the_text_layer_already_has_are_not_doubled(
    pdf: Any, drawn: Callable[..., Image.Image]
) -> None:
    """A picture of the text layer's own words adds nothing."""
    data = pdf.page(*WORDS, picture=drawn(WORDS), box=(60, 100, 500, 300)).bytes()
    (page,) = read(data, OPTIONS)
    assert page.source is PageSource.TEXT_LAYER
    assert page.text == "\n".join(WORDS)


def test_a_turned_scan_is_read(pdf: Any, letter: Image.Image) -> None:
    """A page that lies on its side is set upright."""
    turned = letter.rotate(90, expand=True)
    data = pdf.page(picture=turned, box=(100, 50, 500, 750)).bytes()
    (page,) = read(data, OPTIONS)
    assert "Northwind Trading Company" in page.text


def test_marks_that_nobody_can_read_are_not_an_empty_success(
    pdf: Any, drawn: Callable[..., Image.Image]
) -> None:
    """A picture without a word is called unreadable; a white one blank."""
    blot = drawn(())
    blot.paste(0, (300, 20, 900, 140))
    data = pdf.page(picture=blot).page(picture=drawn(())).bytes()
    pages = read(data, OPTIONS)
    assert [page.source for page in pages] == [PageSource.UNREADABLE, PageSource.BLANK]


def test_without_an_engine_scans_are_unreadable(pdf: Any, letter: Image.Image) -> None:
    """With OCR off a scan is not passed off as empty, and text is still read."""
    data = pdf.page(picture=letter).page(*WORDS).bytes()
    pages = read(data, Options(ocr_engine="none"))
    assert [page.source for page in pages] == [PageSource.UNREADABLE, PageSource.TEXT_LAYER]


def test_filled_in_fields_are_read(pdf: Any) -> None:
    """What was typed into a form is in the text, once."""
    data = pdf.page(*WORDS).field("Maria Typed-In").bytes()
    (page,) = read(data, OPTIONS)
    assert page.text.count("Maria Typed-In") == 1
    again = read(data, OPTIONS)
    assert again == (page,)


def test_locked_with_a_password(pdf: Any) -> None:
    """A PDF that asks for a password is called encrypted."""
    locked = pikepdf.Encryption(owner="o", user="u")
    with pytest.raises(EncryptedFile):
        read(pdf.page(*WORDS).bytes(encryption=locked), OPTIONS)


def test_encrypted_but_open(pdf: Any) -> None:
    """A PDF that is encrypted and opens without a password is read."""
    opened = pikepdf.Encryption(owner="o", user="")
    (page,) = read(pdf.page(*WORDS).bytes(encryption=opened), OPTIONS)
    assert page.text == "\n".join(WORDS)


@pytest.mark.parametrize("keep", [9, 40])
def test_damaged(pdf: Any, keep: int) -> None:
    """The beginning of a PDF is corrupt."""
    with pytest.raises(CorruptFile):
        read(pdf.page(*WORDS).bytes()[:keep], OPTIONS)


def test_junk_before_the_head_is_repaired(pdf: Any) -> None:
    """A PDF behind some stray bytes is still read."""
    (page,) = read(b"\r\n\r\nstray" + pdf.page(*WORDS).bytes(), OPTIONS)
    assert page.text == "\n".join(WORDS)


def test_no_pages_is_corrupt(pdf: Any) -> None:
    """A PDF without a page is no document."""
    with pytest.raises(CorruptFile):
        read(pdf.bytes(), OPTIONS)


def test_too_many_pages(pdf: Any) -> None:
    """More pages than allowed are refused before the first is read."""
    data = pdf.page().page().page().bytes()
    assert len(read(data, Options(max_pages=3))) == 3
    with pytest.raises(TooManyPages):
        read(data, Options(max_pages=2))


def test_a_missing_language_is_said(pdf: Any, letter: Image.Image, tmp_path: Path) -> None:
    """OCR in a language that is not installed is a configuration error that names it."""
    data = pdf.page(picture=letter).bytes()
    with pytest.raises(ConfigurationError, match="xyz"):
        read(data, Options(ocr_languages="eng+xyz"))
    with pytest.raises(ConfigurationError, match="eng"):
        read(data, Options(tessdata_dir=str(tmp_path)))


def test_shares_of_characters() -> None:
    """Private alphabets count as bad, accents and signs do not."""
    assert bad_share("Überweisung 100 €, «naïve»") == 0
    assert bad_share("\ue001\ue002ab") == 0.5
    assert bad_share("") == 0
    assert printable(" a\tb\n\x01") == 2
