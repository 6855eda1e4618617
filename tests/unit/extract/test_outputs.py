"""Other forms of a file: text, Markdown, words with boxes, a PDF that can be searched."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops

from inbox.errors import EncryptedFile, UnsupportedOutput
from inbox.extract import Reader, output_of
from inbox.extract.ocr import turned

Put = Callable[[bytes], Path]
Saved = Callable[..., bytes]
SHEET = (0, 396, 612, 792)


def text_of(data: bytes, number: int = 0) -> str:
    """What can be found on a page of a PDF."""
    with pypdfium2.PdfDocument(data) as opened:
        return " ".join(str(opened[number].get_textpage().get_text_range()).split())


def looks(data: bytes, number: int = 0) -> Image.Image:
    """How a page of a PDF looks."""
    with pypdfium2.PdfDocument(data) as opened:
        picture: Image.Image = opened[number].render(scale=1).to_pil().convert("RGB")
    return picture


def place_of(data: bytes, word: str, number: int = 0) -> tuple[float, float]:
    """Where the middle of a word's first letter is, in points from the lower left corner."""
    with pypdfium2.PdfDocument(data) as opened:
        layer = opened[number].get_textpage()
        index, _ = layer.search(word).get_next()
        left, bottom, right, top = layer.get_charbox(index)
        return (left + right) / 2, (bottom + top) / 2


def test_text_has_a_form_feed_between_pages(reader: Reader, put: Put, pdf: Any) -> None:
    """Plain text is what was read, in UTF-8."""
    path = put(pdf.page("The first page").page("The second page").bytes())
    assert reader.render(path, "text") == b"The first page\fThe second page\n"


def test_office_files_become_markdown(reader: Reader, put: Put) -> None:
    """Headings, lists and tables keep their marks; a bar in a cell does not end it."""
    made, out = docx.Document(), io.BytesIO()
    made.add_heading("Terms", 1)
    made.add_paragraph("One paragraph.")
    for item in ("first", "second"):
        made.add_paragraph(item, style="List Bullet")
    table = made.add_table(2, 2)
    for cell, said in zip(
        [cell for row in table.rows for cell in row.cells], ("name", "sum", "a|b", "2"), strict=True
    ):
        cell.text = said
    made.save(out)
    said = reader.render(put(out.getvalue()), "markdown").decode()
    assert said == (
        "# Terms\n\nOne paragraph.\n\n- first\n- second\n\n"
        "| name | sum |\n|---|---|\n| a\\|b | 2 |\n"
    )


def test_pages_of_markdown_are_parted(reader: Reader, put: Put, pdf: Any) -> None:
    """A rule and a remark say where a page begins."""
    said = reader.render(put(pdf.page("One").page("Two").bytes()), "markdown").decode()
    assert said == "One\n\n<!-- page 2 -->\n\n---\n\nTwo\n"


def test_words_have_their_boxes(
    reader: Reader, put: Put, pdf: Any, letter: Image.Image, saved: Saved
) -> None:
    """A word of the text layer, of a scan and of a picture stand where they are seen."""
    layer = json.loads(reader.render(put(pdf.page("Somewhere over the page").bytes()), "words"))
    (page,) = layer["pages"]
    assert [word["text"] for word in page["words"]] == ["Somewhere", "over", "the", "page"]
    left, top, _, bottom = page["words"][0]["box"]
    assert (page["width"], page["height"]) == (612, 792)
    assert left == pytest.approx(60 / 612, abs=0.01)
    assert top < 52 / 792 < bottom + 0.01
    scan = json.loads(reader.render(put(pdf.page(picture=letter, box=SHEET).bytes()), "words"))
    word = scan["pages"][1]["words"][0]
    assert word["text"] == "Northwind"
    assert word["confidence"] > 0.8
    assert word["box"][0] == pytest.approx(80 / letter.width, abs=0.02)
    assert word["box"][1] == pytest.approx(90 / letter.height / 2, abs=0.04)
    picture = json.loads(reader.render(put(saved(letter, "PNG")), "words"))["pages"][0]
    assert picture["words"][0]["box"][0] == pytest.approx(80 / letter.width, abs=0.02)
    assert picture["width"] / picture["height"] == pytest.approx(
        letter.width / letter.height, abs=0.01
    )


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_turned_box_is_turned_back(turn: int) -> None:
    """Turning a picture and its box, and the box back, ends where it began."""
    sheet = Image.new("L", (200, 100), 255)
    sheet.paste(0, (20, 10, 60, 40))
    shown = sheet.rotate(turn, expand=True)
    left, top, right, bottom = ImageChops.invert(shown).getbbox() or (0, 0, 0, 0)
    box = (left / shown.width, top / shown.height, right / shown.width, bottom / shown.height)
    assert turned((0.1, 0.1, 0.3, 0.4), turn) == pytest.approx(box)
    assert turned(box, -turn) == pytest.approx((0.1, 0.1, 0.3, 0.4))


def test_a_scan_becomes_searchable_and_looks_the_same(
    reader: Reader, put: Put, pdf: Any, letter: Image.Image
) -> None:
    """Words are found where they are seen, pages with text stay, and nothing new is visible."""
    data = pdf.page("A page with a text layer").page(picture=letter, box=SHEET).bytes()
    made = reader.render(put(data), "pdf")
    assert text_of(data, 1) == ""
    assert "Northwind Trading Company The quarterly invoice" in text_of(made, 1)
    assert text_of(made, 0) == "A page with a text layer"
    for number in (0, 1):
        assert not ImageChops.difference(looks(data, number), looks(made, number)).getbbox()
    x, y = place_of(made, "Northwind", 1)
    assert x == pytest.approx(612 * 95 / letter.width, abs=12)
    assert y == pytest.approx(792 - 396 * 105 / letter.height, abs=12)
    with pikepdf.open(io.BytesIO(made)) as opened:
        assert not opened.check_pdf_syntax()


@pytest.fixture(params=[(turn, by_viewer) for turn in (90, 180, 270) for by_viewer in (0, 1)])
def sideways(request: Any, pdf: Any, letter: Image.Image) -> tuple[bytes, int, tuple[int, ...]]:
    """A PDF of a turned scan, which viewers set upright or not; the turn; the picture's box."""
    turn, by_viewer = request.param
    shown = letter.rotate(turn, expand=True)
    box = (0, 0, *[round(side / 2.2) for side in shown.size])
    return pdf.page(picture=shown, box=box, rotate=turn * by_viewer).bytes(), turn, box


def test_a_turned_scan_becomes_searchable(
    reader: Reader, put: Put, letter: Image.Image, sideways: tuple[bytes, int, tuple[int, ...]]
) -> None:
    """Sideways print is found where it is seen, whether or not the viewer sets it upright."""
    data, turn, box = sideways
    made = reader.render(put(data), "pdf")
    assert {"Northwind", "Trading", "Company", "accounting"} <= set(text_of(made).split())
    x, y = place_of(made, "Northwind")
    along, down = 95 / letter.width, 105 / letter.height
    wanted = {90: (down, along), 180: (1 - along, down), 270: (1 - down, 1 - along)}[turn]
    assert x == pytest.approx(box[2] * wanted[0], abs=15)
    assert y == pytest.approx(box[3] * wanted[1], abs=15)


@pytest.mark.parametrize("format_", ["PNG L", "PNG 1", "PNG P", "PNG RGBA", "JPEG RGB"])
def test_pictures_become_searchable(
    reader: Reader, put: Put, letter: Image.Image, saved: Saved, format_: str
) -> None:
    """A picture becomes a page that shows it as it is, with its words."""
    kind, mode = format_.split()
    made = reader.render(put(saved(letter.convert(mode), kind)), "pdf")
    assert "Northwind Trading Company" in text_of(made)
    shown = looks(made).resize(letter.size).convert("L")
    difference = ImageChops.difference(shown, letter).resize((40, 20), Image.Resampling.BOX)
    assert max(difference.getdata()) < 60


def test_a_fax_keeps_its_pages(
    reader: Reader, put: Put, drawn: Callable[..., Image.Image], saved: Saved
) -> None:
    """Every picture of a file of several is a page, also the empty one."""
    pages = [drawn(("The first page of a fax",)), drawn(()), drawn(("Its last page",))]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    made = reader.render(put(data), "pdf")
    assert "first page" in text_of(made, 0)
    assert text_of(made, 1) == ""
    assert "last page" in text_of(made, 2)


def test_a_pdf_without_scans_is_left_as_it_is(reader: Reader, put: Put, pdf: Any) -> None:
    """Nothing is rewritten where nothing is added."""
    data = pdf.page("A page that has a text layer of its own").bytes()
    assert reader.render(put(data), "pdf") == data


def test_what_has_no_pages_to_show_makes_no_pdf(reader: Reader, put: Put, pdf: Any) -> None:
    """Mail, text and office files are refused, and locked ones say that they are locked."""
    with pytest.raises(UnsupportedOutput):
        reader.render(put(b"Only words."), "pdf")
    locked = pdf.page("x").bytes(encryption=pikepdf.Encryption(owner="o", user="u"))
    with pytest.raises(EncryptedFile):
        reader.render(put(locked), "pdf")
    with pytest.raises(UnsupportedOutput, match="markdown"):
        output_of("docx")
