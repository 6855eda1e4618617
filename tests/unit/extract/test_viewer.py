"""Pages as pictures, and where quotes stand on them."""

from __future__ import annotations

import io
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageDraw, ImageFont

from inbox.errors import CorruptFile
from inbox.extract.ocr import Word
from inbox.extract.viewer import LONG_SIDE, Viewer, locate
from inbox.samples import business
from inbox.samples.sheet import pdf
from inbox.settings import Settings


@pytest.fixture(scope="module")
def viewer() -> Viewer:
    """One for the module; its process is costly to start."""
    with Viewer(Settings(_env_file=None, classifier="lexicon")) as opened:
        yield opened


def words(*texts: str) -> list[Word]:
    """Words in lines of four."""
    return [
        Word(
            text,
            1.0,
            (0.1 + 0.2 * (n % 4), 0.1 * (n // 4), 0.25 + 0.2 * (n % 4), 0.1 * (n // 4) + 0.05),
        )
        for n, text in enumerate(texts)
    ]


def test_a_quote_is_found_across_lines() -> None:
    """One box a line, whatever the case and the punctuation."""
    page = words("Dear", "Ada,", "the", "Total", "amount", "due:", "12.00", "by", "May")
    (first, second) = locate(page, "total  AMOUNT due 12.00")
    assert first[0] == pytest.approx(0.7, abs=0.01)
    assert (second[0], second[2]) == (pytest.approx(0.1, abs=0.01), pytest.approx(0.65, abs=0.01))


def test_a_quote_is_found_where_hyphens_part_its_words() -> None:
    """The text joins a word that a line's end parts; a part of a longer word is not the word."""
    page = words("Canada", "and", "discus", "sion", "of", "Ada")
    (first,) = locate(page, "and discussion of")[:1]
    assert first[0] == pytest.approx(0.3, abs=0.01)
    (ada,) = locate(page, "Ada")
    assert ada[1] == pytest.approx(0.1, abs=0.01)


def test_a_word_that_reaches_into_other_lines_does_not_stretch_the_mark() -> None:
    """OCR's box of a word may hold ink of the lines beside; its line is marked, and no more."""
    page = words("Dear", "Ada,", "the", "Total", "amount", "due:", "12.00", "by", "May")
    left, _, right, _ = page[5].box
    page[5] = Word("due:", 1.0, (left, 0.0, right, 0.25))
    ((_, top, _, bottom),) = locate(page, "amount due 12.00")
    assert (top, bottom) == (pytest.approx(0.1, abs=0.01), pytest.approx(0.15, abs=0.01))


def test_a_quote_that_does_not_stand_there_has_no_box() -> None:
    """Nothing is marked rather than the wrong thing; one misread word in five is borne."""
    page = words("Dear", "Ada", "thank", "you", "for", "your", "letter")
    assert locate(page, "pay at once") == []
    assert locate(page, "") == []
    assert len(locate(page, "Ada thnak you for your")) == 2


def test_a_page_of_a_pdf_is_drawn_with_its_evidence(viewer: Viewer, tmp_path: Path) -> None:
    """The picture is large enough to read; the box lies on the ink of the quote."""
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([business.invoice()]))
    text = pypdfium2.PdfDocument(path)[0].get_textpage().get_text_range()
    quote = next(line for line in text.splitlines() if len(line.split()) > 3)
    view = viewer.draw(path, 1, [quote, "stands nowhere at all"])
    picture = Image.open(io.BytesIO(view.png or b"")).convert("L")
    assert max(picture.size) == LONG_SIDE
    assert picture.size == (view.width, view.height)
    ((box,), nothing) = view.boxes
    assert nothing == ()
    left, top, right, bottom = box
    crop = picture.crop(
        (
            int(left * view.width),
            int(top * view.height),
            int(right * view.width),
            int(bottom * view.height),
        )
    )
    assert crop.getextrema()[0] < 128
    assert viewer.draw(path, 2) is None


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_page_has_its_boxes_turned(viewer: Viewer, tmp_path: Path, degrees: int) -> None:
    """A box stays on its words when the page is shown turned."""
    document = pypdfium2.PdfDocument(pdf([business.invoice()]))
    text = document[0].get_textpage().get_text_range()
    quote = next(line for line in text.splitlines() if len(line.split()) > 3)
    document[0].set_rotation(degrees)
    document.save(tmp_path / "turned.pdf")
    view = viewer.draw(tmp_path / "turned.pdf", 1, [quote])
    picture = Image.open(io.BytesIO(view.png or b"")).convert("L")
    left, top, right, bottom = view.boxes[0][0]
    long, short = (bottom - top, right - left) if degrees != 180 else (right - left, bottom - top)
    assert long * max(picture.size) > 2 * short * min(picture.size) or long > short
    crop = picture.crop(
        (
            int(left * view.width),
            int(top * view.height),
            int(right * view.width),
            int(bottom * view.height),
        )
    )
    assert crop.getextrema()[0] < 128


def test_words_of_a_scan_are_found_by_ocr(viewer: Viewer, tmp_path: Path) -> None:
    """A picture has no text layer; the box is where the words were drawn."""
    picture = Image.new("RGB", (1200, 900), "white")
    font = ImageFont.load_default(40)
    ImageDraw.Draw(picture).text((100, 600), "Total amount due 12.00", font=font, fill="black")
    picture.save(tmp_path / "scan.png")
    view = viewer.draw(tmp_path / "scan.png", 1, ["Total amount due 12.00"])
    ((left, top, right, bottom),) = view.boxes[0]
    assert 0.05 < left < 0.1 < right < 0.6
    assert 0.64 < top < bottom < 0.75


def test_formats_without_pages_have_no_picture(viewer: Viewer, tmp_path: Path) -> None:
    """Mail and text are not drawn, and that is no error."""
    path = tmp_path / "a.txt"
    path.write_text("Dear Ada,\nthank you for your letter.\n")
    assert viewer.draw(path, 1).png is None


def test_what_is_broken_is_said_to_be(viewer: Viewer, tmp_path: Path) -> None:
    """A file that does not open ends as the error that reading it would."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\nnothing of the kind")
    with pytest.raises(CorruptFile):
        viewer.draw(path, 1)
