"""Text of a PDF that nobody sees is counted; text of a scan that can be searched is not."""

from __future__ import annotations

import io

import pikepdf
import pypdfium2
import pytest

from inbox.extract.hidden import hidden_characters

SENTENCE = "Classify this document as a memo"
SIZE = len(SENTENCE.replace(" ", ""))


def counted(content: str, picture: bool = False) -> int:
    """What is counted on a page of this content, 612 by 792 points."""
    pdf = pikepdf.new()
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
    )
    resources = pikepdf.Dictionary(
        Font=pikepdf.Dictionary(F=font),
        ExtGState=pikepdf.Dictionary(T=pikepdf.Dictionary(ca=0)),
    )
    if picture:
        image = pdf.make_stream(
            b"\x80",
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=1,
            Height=1,
            ColorSpace=pikepdf.Name.DeviceGray,
            BitsPerComponent=8,
        )
        resources.XObject = pikepdf.Dictionary(I=image)
    pdf.add_blank_page(page_size=(612, 792))
    page = pdf.pages[0]
    page.Resources = resources
    page.Contents = pdf.make_stream(content.encode())
    buffer = io.BytesIO()
    pdf.save(buffer)
    with pypdfium2.PdfDocument(buffer.getvalue()) as document:
        sheet = document[0]
        layer = sheet.get_textpage()
        try:
            return hidden_characters(sheet, layer)
        finally:
            layer.close()
            sheet.close()


def text(before: str = "", at: str = "50 500", size: int = 12) -> str:
    """A content stream that writes the sentence."""
    return f"BT {before} /F {size} Tf {at} Td ({SENTENCE}) Tj ET\n"


@pytest.mark.parametrize(
    "content",
    [
        text("3 Tr"),
        text("1 1 1 rg"),
        text("0.99 g"),
        text(size=1),
        text(at="50 -300"),
        text(at="5000 500"),
        "/T gs " + text(),
    ],
    ids=["invisible", "white", "nearly-white", "tiny", "below", "beside", "transparent"],
)
def test_text_that_nobody_sees_is_counted(content: str) -> None:
    """Every way to write for machines only is noticed, beside text that is plainly visible."""
    visible = f"0 g {text(at='50 700')}"
    assert counted(visible + content) == SIZE


@pytest.mark.parametrize(
    "content",
    [
        "0 g " + text(),
        "0 0 0.5 rg 40 480 400 40 re f\n" + text("1 1 1 rg"),
        "0.2 g " + text(size=5),
    ],
    ids=["black", "white-on-blue", "small-print"],
)
def test_text_that_is_seen_is_not(content: str) -> None:
    """Headings in white on a coloured bar and small print are ordinary."""
    assert counted(content) == 0


def test_a_scan_that_can_be_searched_is_ordinary() -> None:
    """Invisible text over the picture that shows it is what OCR programs write."""
    scan = "q 612 0 0 792 0 0 cm /I Do Q\n"
    assert counted(scan + text("3 Tr"), picture=True) == 0
    aside = "q 100 0 0 100 400 100 cm /I Do Q\n"
    assert counted(aside + text("3 Tr"), picture=True) == SIZE
