"""Files that lost a part on the way: nothing that is missing is called empty."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pikepdf
import pytest
from in_process import read
from PIL import Image

from inbox.errors import CorruptFile
from inbox.extract import Reader, pixels
from inbox.extract.options import Options
from inbox.model import PageSource

OPTIONS = Options()
WORDS = ("This agreement is made between the parties", "and remains in force for five years")
BLANK, UNREADABLE, TEXT = PageSource.BLANK, PageSource.UNREADABLE, PageSource.TEXT_LAYER


def sources(data: bytes) -> list[PageSource]:
    """Where the text of each page comes from."""
    return [page.source for page in read(data, OPTIONS)]


def in_order(*pages: tuple[str, bytes], fonts_last: bool = False) -> bytes:
    """A PDF that names its pages first and holds their contents behind, as most programs write it.

    Args:
        pages: name of a resource kind ("" for none) and content of each page.
        fonts_last: whether the font stands behind the contents.
    """
    count = len(pages)
    kids = " ".join(f"{3 + number} 0 R" for number in range(count))
    font = 3 + count
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Count {count} /Kids [ {kids} ] >>".encode(),
    }
    for number, (resources, content) in enumerate(pages):
        objects[3 + number] = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Contents {font + 1 + number} 0 R"
            f" /Resources << /Font << /F1 {font} 0 R >> {resources} >> >>"
        ).encode()
        packed = zlib.compress(content)
        objects[font + 1 + number] = (
            f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode()
            + packed
            + b"\nendstream"
        )
    objects[font] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    order = sorted(objects, key=lambda key: (fonts_last and key == font, key))
    data, places = b"%PDF-1.4\n", {}
    for key in order:
        places[key] = len(data)
        data += b"%d 0 obj\n%b\nendobj\n" % (key, objects[key])
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % places[key] for key in sorted(objects))
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return data + tail % (len(objects) + 1, start)


def said(number: int) -> bytes:
    """The content of a page with some words, which do not pack well."""
    filler = " ".join(f"{zlib.crc32(bytes([number, i])):08x}" for i in range(80))
    return f"BT /F1 9 Tf 20 700 Td (Words of page {number} {filler}) Tj ET".encode()


def test_the_files_of_these_tests_are_sound_before_they_are_cut() -> None:
    """Every page of the uncut file is read, the blank one as blank."""
    pages = [("", said(1)), ("", said(2)), ("", b"q Q")]
    assert sources(in_order(*pages)) == [TEXT, TEXT, BLANK]
    assert sources(in_order(*pages, fonts_last=True)) == [TEXT, TEXT, BLANK]


def test_a_cut_pdf_keeps_what_it_has_and_says_what_it_lost() -> None:
    """Pages whose content is still there are read; those whose content is gone are unreadable."""
    data = in_order(*[("", said(number)) for number in range(1, 5)])
    cut = data[: data.index(b"10 0 obj") + 20]
    pages = read(cut, OPTIONS)
    assert [page.source for page in pages] == [TEXT, TEXT, UNREADABLE, UNREADABLE]
    assert "Words of page 2" in pages[1].text


def test_a_pdf_cut_before_its_contents_is_corrupt() -> None:
    """A PDF of which only the list of pages is left is no document of blank pages."""
    data = in_order(("", said(1)), ("", said(2)))
    with pytest.raises(CorruptFile, match="lost"):
        read(data[: data.index(b"6 0 obj")], OPTIONS)


def test_a_pdf_that_lost_its_fonts_is_corrupt() -> None:
    """Without its fonts a page says other letters than it shows: that is not passed off as text."""
    data = in_order(("", said(1)), fonts_last=True)
    with pytest.raises(CorruptFile, match="lost"):
        read(data[: data.index(b"4 0 obj\n<< /Type /Font")], OPTIONS)


@pytest.mark.parametrize("share", [0.2, 0.33, 0.5, 0.66, 0.9])
def test_no_share_of_a_scan_becomes_blank_pages(
    pdf: Any, letter: Image.Image, share: float
) -> None:
    """A scanned PDF cut anywhere is corrupt, or its lost pages are unreadable: none is blank."""
    for _ in range(3):
        pdf.page(picture=letter, box=(0, 200, 612, 592))
    whole = pdf.bytes(object_stream_mode=pikepdf.ObjectStreamMode.disable)
    try:
        found = sources(whole[: int(len(whole) * share)])
    except CorruptFile:
        return
    assert BLANK not in found
    assert UNREADABLE in found


def test_content_that_does_not_unpack_is_unreadable(pdf: Any) -> None:
    """A page whose content breaks off in the middle is not taken for the half that is left."""
    data = in_order(("", said(1)), ("", said(2)))
    start = data.index(b"stream\n", data.index(b"7 0 obj")) + 7
    end = data.index(b"\nendstream", start)
    broken = data[: start + 60] + bytes(end - start - 60) + data[end:]
    assert sources(broken) == [TEXT, UNREADABLE]


def test_content_named_but_missing_is_unreadable() -> None:
    """A page that points to content which is not in the file is not blank."""
    data = in_order(("", said(1)), ("", said(2)))
    missing = data.replace(b"/Contents 7 0 R ", b"/Contents 77 0 R")
    assert len(missing) == len(data)
    assert sources(missing) == [TEXT, UNREADABLE]


def test_a_page_named_but_missing_is_counted() -> None:
    """A page that the list of pages names and the file does not have is an unreadable page."""
    data = in_order(("", said(1)), ("", said(2)))
    missing = data.replace(b"[ 3 0 R 4 0 R ]", b"[ 33 0 R 4 0 R]")
    assert missing != data
    pages = read(missing, OPTIONS)
    assert [page.source for page in pages] == [UNREADABLE, TEXT]
    assert [page.number for page in pages] == [1, 2]


def test_a_picture_named_but_missing_is_unreadable() -> None:
    """A page that draws a picture which is not in the file is not blank."""
    drawn = ("/XObject << /Im1 99 0 R >>", b"q 612 0 0 792 0 0 cm /Im1 Do Q")
    assert sources(in_order(("", said(1)), drawn)) == [TEXT, UNREADABLE]


@pytest.mark.parametrize("kind", ["JPEG", "flate"])
def test_a_picture_that_breaks_off_is_unreadable(
    pdf: Any, letter: Image.Image, saved: Callable[..., bytes], kind: str
) -> None:
    """A scan of which only the upper part is stored is not read as if that were all."""
    pdf.page(*WORDS).page(picture=letter, box=(0, 200, 612, 592))
    with pikepdf.open(io.BytesIO(pdf.bytes())) as opened:
        stream = opened.pages[1].Resources.XObject.Im1
        if kind == "JPEG":
            noise = Image.effect_noise(letter.size, 90)
            packed, name = saved(Image.blend(letter, noise, 0.2), "JPEG"), pikepdf.Name.DCTDecode
        else:
            packed, name = zlib.compress(letter.tobytes()), pikepdf.Name.FlateDecode
        stream.write(packed[: len(packed) // 2], filter=name)
        out = io.BytesIO()
        opened.save(out)
    assert sources(out.getvalue()) == [TEXT, UNREADABLE]


def test_blank_pages_stay_blank(pdf: Any) -> None:
    """A page without content, and one with nothing to see, are blank, alone or among others."""
    assert sources(pdf.page().bytes()) == [BLANK]
    pdf._pdf.add_blank_page()
    assert sources(pdf.page(*WORDS).bytes()) == [BLANK, BLANK, TEXT]


@pytest.mark.parametrize("share", [0.33, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_cut_picture_is_corrupt(
    letter: Image.Image, saved: Callable[..., bytes], kind: str, share: float
) -> None:
    """The upper part of a picture is not read as if it were the whole."""
    noise = Image.blend(letter, Image.effect_noise(letter.size, 90), 0.2)
    data = saved(noise, kind)
    with pytest.raises(CorruptFile):
        read(data[: int(len(data) * share)], OPTIONS)


def test_a_jpeg_without_its_end_mark_is_read(saved: Callable[..., bytes], drawn: Any) -> None:
    """Where only the last two bytes are missing, nothing of the picture is."""
    noise = Image.blend(drawn(), Image.effect_noise(drawn().size, 90), 0.2)
    data = saved(noise, "JPEG")
    assert data.endswith(b"\xff\xd9")
    (page,) = read(data[:-2], OPTIONS)
    assert "Northwind Trading Company" in page.text
    assert not pixels.has_all_rows(saved(noise, "JPEG", progressive=True)[: len(data) // 2])


def strips_last(*pictures: Image.Image) -> bytes:
    """A TIFF that names its pictures first and holds them behind, as scanners write it."""
    head = 8 + len(pictures) * (2 + 12 * 8 + 4)
    bodies = [zlib.compress(picture.tobytes()) for picture in pictures]
    data = b"II*\x00" + struct.pack("<I", 8)
    place = head
    for number, (picture, body) in enumerate(zip(pictures, bodies, strict=True)):
        tags = [
            (256, picture.width), (257, picture.height), (258, 8), (259, 8), (262, 1),
            (273, place), (278, picture.height), (279, len(body)),
        ]  # fmt: skip
        data += struct.pack("<H", len(tags))
        data += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        data += struct.pack("<I", 8 + (number + 1) * 102 if number + 1 < len(pictures) else 0)
        place += len(body)
    return data + b"".join(bodies)


def test_a_cut_fax_keeps_its_first_pages(drawn: Callable[..., Image.Image]) -> None:
    """Pages of a TIFF whose pixels are missing are unreadable, not blank."""
    data = strips_last(drawn(), drawn(), drawn())
    assert [page.source for page in read(data, OPTIONS)] == [PageSource.OCR] * 3
    found = read(data[: int(len(data) * 0.55)], OPTIONS)
    assert [page.source for page in found] == [PageSource.OCR, UNREADABLE, UNREADABLE]
    with pytest.raises(CorruptFile):
        read(data[: int(len(data) * 0.3)], OPTIONS)


def test_a_cut_office_file_is_corrupt(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """Half of a DOCX is not read."""
    made, out = docx.Document(), io.BytesIO()
    made.add_paragraph("The lease begins in May.")
    made.save(out)
    for share in (0.33, 0.5, 0.98):
        with pytest.raises(CorruptFile):
            reader.read(put(out.getvalue()[: int(len(out.getvalue()) * share)]))


def test_an_office_file_with_a_damaged_part_is_corrupt(
    reader: Reader, put: Callable[[bytes], Path]
) -> None:
    """A DOCX whose list of parts is sound and whose text does not unpack is not an empty one."""
    made, out = docx.Document(), io.BytesIO()
    made.add_paragraph("The lease begins in May.")
    made.save(out)
    data = out.getvalue()
    start = re.search(rb"PK\x03\x04.{26}word/document\.xml", data, re.DOTALL).end()
    with pytest.raises(CorruptFile):
        reader.read(put(data[: start + 40] + bytes(300) + data[start + 340 :]))
