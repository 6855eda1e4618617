"""Formats besides the common ones: OpenDocument, EPUB, RTF, pictures of telephones."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import odfdo
import openpyxl
import pypdfium2
import pytest

from inbox import errors
from inbox.extract import Reader, legacy
from inbox.extract.options import Options

Put = Callable[[bytes], Path]
# Two lines of print, drawn and packed as telephones pack photographs (HEVC in HEIF).
PHOTOGRAPH = Path(__file__).with_name("letter.heic")


def saved(made: odfdo.Document) -> bytes:
    """The document as the bytes of a file."""
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


@pytest.fixture
def lease() -> bytes:
    """An OpenDocument text."""
    made = odfdo.Document("text")
    made.body.clear()
    table = odfdo.Table("T", width=2, height=2)
    for place, value in (((0, 0), "name"), ((1, 0), "sum"), ((0, 1), "rent"), ((1, 1), 700)):
        table.set_value(place, value)
    for part in (
        odfdo.Header(1, "Terms"),
        odfdo.Paragraph("The lease begins in May."),
        odfdo.List(["first", "second"]),
        table,
    ):
        made.body.append(part)
    return saved(made)


def test_an_opendocument_text_is_read(reader: Reader, put: Put, lease: bytes) -> None:
    """Headings, paragraphs, lists and tables come in their order."""
    document = reader.read(put(lease), name="lease.odt")
    assert document.media_type == "application/vnd.oasis.opendocument.text"
    assert document.text == "Terms\nThe lease begins in May.\nfirst\nsecond\nname\tsum\nrent\t700"
    assert reader.render(put(lease), "markdown").decode() == (
        "# Terms\n\nThe lease begins in May.\n\n- first\n- second\n\n"
        "| name | sum |\n|---|---|\n| rent | 700 |\n"
    )


def test_sheets_of_a_spreadsheet_are_pages(reader: Reader, put: Put) -> None:
    """Every sheet is a page under its name; a million empty cells are none."""
    made = odfdo.Document("spreadsheet")
    made.body.clear()
    for name in ("Rent", "Heating"):
        table = odfdo.Table(name, width=2, height=2)
        table.set_value((1, 1), 7.5)
        table.append_row(odfdo.Row(1024, repeated=1_000_000))
        made.body.append(table)
    document = reader.read(put(saved(made)))
    assert [page.text for page in document.pages] == ["Rent\n\t7.5", "Heating\n\t7.5"]


def test_slides_are_pages(reader: Reader, put: Put) -> None:
    """What stands in the frames of a slide is on its page."""
    made = odfdo.Document("presentation")
    made.body.clear()
    for number, said in enumerate(("The plan", "The costs")):
        slide = odfdo.DrawPage(f"page{number}", name=f"Page {number}")
        slide.append(odfdo.Frame.text_frame(said, size=("7cm", "5cm"), position=("1cm", "1cm")))
        made.body.append(slide)
    assert [page.text for page in reader.read(put(saved(made))).pages] == ["The plan", "The costs"]


def test_a_locked_or_damaged_opendocument_is_said_to_be(
    reader: Reader, put: Put, lease: bytes
) -> None:
    """A manifest that speaks of encryption is a locked file; one without content is corrupt."""
    for name, change, error in (
        ("META-INF/manifest.xml", b"<manifest:encryption-data/>", errors.EncryptedFile),
        ("content.xml", b"<broken", errors.CorruptFile),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(lease)) as before, zipfile.ZipFile(out, "w") as after:
            for member in before.namelist():
                after.writestr(member, change if member == name else before.read(member))
        with pytest.raises(error):
            reader.read(put(out.getvalue()))


def book(**changed: bytes) -> bytes:
    """An EPUB of two chapters, whose order is not that of their names."""
    chapter = (
        '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "x.dtd">'
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>{0}</h1><p>It was {0}.</p></body>'
        "</html>"
    )
    members = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": b'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        b'container"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": b'<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        b'<item id="a" href="text/a%20b.xhtml" media-type="application/xhtml+xml"/>'
        b'<item id="z" href="text/z.xhtml" media-type="application/xhtml+xml"/>'
        b'<item id="i" href="i.png" media-type="image/png"/></manifest>'
        b'<spine><itemref idref="z"/><itemref idref="a"/><itemref idref="i"/></spine></package>',
        "OPS/text/a b.xhtml": chapter.format("night").encode(),
        "OPS/text/z.xhtml": chapter.format("day").encode(),
    } | changed
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return out.getvalue()


def test_a_book_is_read_in_its_order(reader: Reader, put: Put) -> None:
    """Every chapter is a page, in the order of the book's spine."""
    document = reader.read(put(book()))
    assert document.media_type == "application/epub+zip"
    assert [page.text for page in document.pages] == ["day\nIt was day.", "night\nIt was night."]
    assert reader.render(put(book()), "markdown").startswith(b"# day\n\nIt was day.\n\n<!-- page 2")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"OPS/book.opf": b"<package>"}, errors.CorruptFile),
        ({"META-INF/container.xml": b"<container/>"}, errors.CorruptFile),
        (
            {"OPS/book.opf": b'<!DOCTYPE p [<!ENTITY a "b">]><package>&a;</package>'},
            errors.CorruptFile,
        ),
        (
            {"META-INF/encryption.xml": b'<e><CipherReference URI="OPS/text/z.xhtml"/></e>'},
            errors.EncryptedFile,
        ),
    ],
)
def test_a_book_that_does_not_open_says_why(
    reader: Reader, put: Put, changed: dict[str, bytes], error: type[errors.InboxError]
) -> None:
    """Damage, entities and locks are told apart."""
    with pytest.raises(error):
        reader.read(put(book(**changed)))


def test_rich_text_is_read(reader: Reader, put: Put) -> None:
    """Letters of code pages and of Unicode, tables, and nothing of what is hidden."""
    said = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl\f0 Arial;}{\*\generator Word}"
        rb"\f0 Gr\'fc\'dfe \u8364?5\par "
        rb"\trowd\cellx1\cellx2 name\cell sum\cell\row\trowd rent\cell 700\cell\row Yours}"
    )
    document = reader.read(put(said), name="letter.rtf")
    assert document.media_type == "application/rtf"
    assert document.text == "Gr\u00fc\u00dfe \u20ac5\nname\tsum\nrent\t700\nYours"
    assert b"| rent | 700 |\n" in reader.render(put(said), "markdown")


def test_a_photograph_of_a_telephone_is_read(reader: Reader) -> None:
    """HEIF goes through OCR like any picture, and becomes a searchable PDF."""
    document = reader.read(PHOTOGRAPH)
    assert document.media_type == "image/heic"
    assert document.text == "Northwind Trading Company\nThis letter was photographed"
    with pypdfium2.PdfDocument(reader.render(PHOTOGRAPH, "pdf")) as opened:
        assert "letter was photographed" in opened[0].get_textpage().get_text_range()


def test_a_damaged_photograph_is_corrupt(reader: Reader, put: Put) -> None:
    """Half of it is no picture."""
    with pytest.raises(errors.CorruptFile):
        reader.read(put(PHOTOGRAPH.read_bytes()[:1500]))


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


@pytest.mark.parametrize(
    ("name", "word"),
    [("WordDocument", ".docx"), ("Workbook", ".xlsx"), ("PowerPoint Document", ".pptx")],
)
def test_without_a_converter_old_office_files_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, word: str
) -> None:
    """A .doc, .xls or .ppt is refused with the way out."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(errors.UnsupportedType, match=word):
        legacy.read(OLE + f"{name}\0".encode("utf-16-le"), Options())


def test_a_converted_workbook_is_read_as_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the converter makes of an .xls goes to the reader of its new kind.

    The converter here is a double that always makes the same workbook; the test below has the real
    one, where it is installed.
    """
    made = openpyxl.Workbook()
    made.active.append(("Rent", 900))
    made.save(tmp_path / "made.xlsx")
    double = tmp_path / "soffice"
    double.write_text(
        f"""#!{sys.executable}
import pathlib, shutil, sys
out = pathlib.Path(sys.argv[sys.argv.index("--outdir") + 1])
out.mkdir(parents=True, exist_ok=True)
shutil.copy({str(tmp_path / "made.xlsx")!r}, out / "in.xlsx")
"""
    )
    double.chmod(0o755)
    monkeypatch.setattr(legacy, "program", lambda: str(double))
    (page,) = legacy.read(OLE + "Workbook\0".encode("utf-16-le"), Options())
    assert page.text == "Sheet\nRent\t900"


@pytest.mark.skipif(legacy.program() is None, reason="LibreOffice is not installed")
def test_old_office_files_are_converted(reader: Reader, put: Put, tmp_path: Path) -> None:
    """Where LibreOffice is installed, a .doc is read; one that it does not open is corrupt."""
    (tmp_path / "new.rtf").write_text(r"{\rtf1 The lease begins in May.}")
    command = [str(legacy.program()), f"-env:UserInstallation={(tmp_path / 'p').as_uri()}"]
    command += ["--headless", "--convert-to", "doc", "--outdir", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / "new.rtf")], check=True, capture_output=True)
    document = reader.read(tmp_path / "new.doc")
    assert document.media_type == "application/msword"
    assert document.text == "The lease begins in May."
    with pytest.raises(errors.CorruptFile):
        reader.read(put(OLE + "WordDocument\0".encode("utf-16-le") + bytes(600)))
