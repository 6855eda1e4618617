"""Office files, web pages and tables."""

from __future__ import annotations

import io
from collections.abc import Callable

import docx
import pptx
import pytest
from docx.enum.text import WD_BREAK
from PIL import Image

from inbox.errors import CorruptFile
from inbox.extract import archive, partition, sniff
from inbox.extract.options import Options
from inbox.model import PageSource

OPTIONS = Options()


def stored(document: object) -> bytes:
    """An office document as the bytes of a file."""
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def texts(data: bytes) -> list[str]:
    """The texts of the pages."""
    return [page.text for page in partition.read(data, OPTIONS)]


def test_word_keeps_tables_headers_and_footers() -> None:
    """Everything on a page of a Word document is in the text."""
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Letterhead of the firm"
    document.sections[0].footer.paragraphs[0].text = "Registered in Hamburg"
    document.add_heading("Employment contract")
    document.add_paragraph("The employee starts on the first of May.")
    table = document.add_table(rows=2, cols=2)
    for cell, said in zip(table._cells, ("Item", "Price", "Desk", "120 EUR"), strict=True):
        cell.text = said
    document.add_paragraph("More on the next page.").add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("Signed on the second page.")
    data = stored(document)
    assert sniff.media_type(data) == archive.DOCX
    pages = texts(data)
    whole = "\n".join(pages)
    for part in ("Letterhead of the firm", "Employment contract", "first of May", "Desk\t120 EUR"):
        assert part in pages[0]
    assert "Signed on the second page." in whole
    assert "Registered in Hamburg" in whole


def test_word_keeps_floating_boxes() -> None:
    """Text in a floating box is in the text."""
    document = docx.Document()
    paragraph = document.add_paragraph("In the flow.")
    name = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    box = docx.oxml.parse_xml(
        f'<w:r xmlns:w="{name}"><w:pict><w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p>'
        "</w:txbxContent></w:pict></w:r>"
    )
    paragraph._p.append(box)
    (text,) = texts(stored(document))
    assert "In the flow." in text
    assert text.count("In the box.") == 1


def test_a_document_of_pictures_is_not_blank(
    letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """A Word file that holds only a picture is unreadable, an empty one blank."""
    document = docx.Document()
    assert partition.read(stored(document), OPTIONS)[0].source is PageSource.BLANK
    document.add_picture(io.BytesIO(saved(letter, "PNG")))
    assert partition.read(stored(document), OPTIONS)[0].source is PageSource.UNREADABLE


def test_slides_are_pages() -> None:
    """A presentation has a page for each slide, empty ones too, with its notes."""
    document = pptx.Presentation()
    for title in ("Opening", None, "Closing"):
        slide = document.slides.add_slide(document.slide_layouts[5 if title else 6])
        if title:
            slide.shapes.title.text = title
    document.slides[2].notes_slide.notes_text_frame.text = "Say thank you"
    pages = texts(stored(document))
    assert pages[0] == "Opening"
    assert pages[1] == ""
    assert "Closing" in pages[2]
    assert "Say thank you" in pages[2]


def test_web_pages_lose_their_markup_not_their_words() -> None:
    """Title, paragraphs and tables of a web page are read; scripts are not."""
    data = (
        "<html><head><title>Price list</title><script>var hidden = 1;</script></head><body>"
        "<p>Grüße &amp; willkommen</p><table><tr><td>Tea</td><td>3.50</td></tr></table>"
        "</body></html>"
    ).encode()
    (text,) = texts(data)
    assert "Price list" in text
    assert "Grüße & willkommen" in text
    assert "Tea\t3.50" in text
    assert "hidden" not in text
    assert "<" not in text


def test_nested_markup_is_read() -> None:
    """Markup nested thousands of times gives its words."""
    data = b"<html><body>" + b"<div>" * 3000 + b"needle" + b"</div>" * 3000 + b"</body></html>"
    assert "needle" in texts(data)[0]


def test_markdown_is_read() -> None:
    """Headings, lists and code of Markdown are in the text."""
    data = b"# Minutes\n\nSee [notes](https://example.org/n).\n\n- first point\n\n```\ncode\n```\n"
    assert sniff.media_type(data) == sniff.MARKDOWN
    (text,) = texts(data)
    for part in ("Minutes", "notes", "first point", "code"):
        assert part in text


def test_damaged_office_markup_is_corrupt() -> None:
    """An office file whose inner markup is broken is corrupt."""
    import zipfile

    source, out = io.BytesIO(stored(docx.Document())), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            broken = name == "word/document.xml"
            new.writestr(name, b"<w:document" if broken else old.read(name))
    with pytest.raises(CorruptFile):
        partition.read(out.getvalue(), OPTIONS)
