"""The type of a file, told by its bytes."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from inbox.errors import (
    CorruptFile,
    DecompressionBomb,
    EmptyFile,
    EncryptedFile,
    TypeMismatch,
    UnsupportedType,
    XmlDtdForbidden,
)
from inbox.extract import archive, sniff

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
PROSE = "It was late, and the rain, as ever, had no end.\nNobody came, so we left, at last.\n"


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip file with these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return out.getvalue()


def types(main: str) -> dict[str, bytes]:
    """The table of contents of an office file."""
    kind = f"application/vnd.openxmlformats-officedocument.{main}.main+xml"
    return {"[Content_Types].xml": f'<Types><Override ContentType="{kind}"/></Types>'.encode()}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"%PDF-1.7\n...", sniff.PDF),
        (b"\xff\xfe junk\r\n%PDF-1.7\n1 0 obj", sniff.PDF),
        (b"\x89PNG\r\n\x1a\n....", sniff.PNG),
        (b"\xff\xd8\xff\xe0....", sniff.JPEG),
        (b"II*\x00....", sniff.TIFF),
        (b"MM\x00*....", sniff.TIFF),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", sniff.WEBP),
        (b"GIF89a....", sniff.GIF),
        (b"BM" + bytes(12) + b"\x28\x00\x00\x00" + bytes(40), sniff.BMP),
        (OLE + "__properties_version1.0\0".encode("utf-16-le"), sniff.MSG),
        (b"<!DOCTYPE html><html><body>x</body></html>", sniff.HTML),
        (b"\xef\xbb\xbf\n <HTML><p>x", sniff.HTML),
        (b"<!-- saved --><table><tr><td>1</td></tr></table>", sniff.HTML),
        (b"name,amount\nrent,100\nheat,30\n", sniff.CSV),
        (b"a;b;c\n1;2;3\n", sniff.CSV),
        (b"a\tb\n1\t2\n3\t4\n", sniff.CSV),
        (b"# Title\n\nSee [the page](https://example.org) and **this**.\n", sniff.MARKDOWN),
        (PROSE.encode(), sniff.TEXT),
        ("Grüße aus Köln, über Nacht\n".encode("cp1252"), sniff.TEXT),
        ("Grüße\n".encode("utf-16"), sniff.TEXT),
        ("plain words without a mark".encode("utf-16-le"), sniff.TEXT),
        (b"BMW repairs, MZ motorcycles and PKs", sniff.TEXT),
        (b'{"invoice": 1, "total": 2}', sniff.TEXT),
    ],
)
def test_content_tells_the_type(data: bytes, expected: str) -> None:
    """Each kind is known by its bytes alone, without a name."""
    assert sniff.media_type(data) == expected


@pytest.mark.parametrize(
    "head",
    [
        "From: a@example.org\nTo: b@example.org\nSubject: hello\n\nhi",
        "From a@example.org Mon Jan  1 00:00:00 2024\nReceived: by x\nFrom: a\n\nhi",
        "Return-Path: <a@example.org>\nReceived: from x\n\ty\n\nhi",
        "X-Mailer: thing\nDate: today\nFrom: a@example.org\n\nhi",
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n",
        "\n\n\r\nMessage-ID: <1@x>\nSubject: blank lines before\n\nhi",
        "\ufeffFrom: a@example.org\nSubject: with a mark\n\nhi",
        "From: a\nTo: " + "b@example.org,\n " * 3000 + "c\nSubject: far below\n\nhi",
    ],
)
def test_headers_make_a_mail(head: str) -> None:
    """Mail is recognised however its headers begin."""
    assert sniff.media_type(head.encode()) == sniff.EML


def test_prose_with_colons_is_no_mail() -> None:
    """A note with a heading and a colon stays a text."""
    assert sniff.media_type(b"Subject: rent\nDear landlord,\nthe heating is broken.") == sniff.TEXT


def test_mail_with_a_pdf_inside_is_a_mail() -> None:
    """An attachment's magic number does not decide."""
    data = b"From: a@example.org\nSubject: x\nMIME-Version: 1.0\n\n%PDF-1.4 1 0 obj endobj"
    assert sniff.media_type(data) == sniff.EML


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        ("wordprocessingml.document", archive.DOCX),
        ("presentationml.presentation", archive.PPTX),
        ("spreadsheetml.sheet", archive.XLSX),
    ],
)
def test_content_types_tell_office_kinds(main: str, expected: str) -> None:
    """An office file is told by its table of contents."""
    assert sniff.media_type(zipped(types(main))) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("WordDocument", sniff.DOC),
        ("Workbook", sniff.XLS),
        ("Book", sniff.XLS),
        ("PowerPoint Document", sniff.PPT),
    ],
)
def test_old_office_files_are_told_apart(name: str, kind: str) -> None:
    """A .doc, .xls or .ppt is told by the directory in it."""
    assert sniff.media_type(OLE + f"{name}\0".encode("utf-16-le")) == kind


def test_locked_office_file_is_encrypted() -> None:
    """An office file in an encrypted package is called encrypted, not broken."""
    with pytest.raises(EncryptedFile):
        sniff.media_type(OLE + "EncryptedPackage\0".encode("utf-16-le"))


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 8,
        b"%!PS-Adobe-3.0\n",
        b"MZ\x90\x00" + bytes(200),
        OLE,
    ],
)
def test_what_no_reader_is_for_is_unsupported(data: bytes) -> None:
    """Binary and foreign formats are refused, never read as text."""
    with pytest.raises(UnsupportedType):
        sniff.media_type(data)


def test_no_bytes_is_an_empty_file() -> None:
    """Nothing is not a text."""
    with pytest.raises(EmptyFile):
        sniff.media_type(b"")


def test_archives_are_told_from_documents_that_are_packed_as_one() -> None:
    """A parcel of files is an archive; a program, or a document of another kind, is refused."""
    assert sniff.media_type(zipped({"a.txt": b"x"})) == archive.ZIP
    for mark in ("mimetype", "META-INF/MANIFEST.MF"):
        with pytest.raises(UnsupportedType):
            sniff.media_type(zipped({mark: b"x", "content": b"x"}))


def test_damaged_archive_is_corrupt() -> None:
    """Half a zip is corrupt."""
    data = zipped(types("wordprocessingml.document") | {"word/document.xml": b"x" * 9999})
    with pytest.raises(CorruptFile):
        sniff.media_type(data[: len(data) // 2])


def test_bomb_is_refused_by_its_declared_size() -> None:
    """A small archive that swells a thousandfold is refused before anything unpacks it."""
    members = types("spreadsheetml.sheet") | {"xl/sheet.bin": bytes(40 * 1024 * 1024)}
    with pytest.raises(DecompressionBomb, match="swell"):
        sniff.media_type(zipped(members))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_in_office_markup_are_refused(encoding: str) -> None:
    """An office document that declares a document type is refused, whatever its encoding."""
    markup = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    members = types("wordprocessingml.document") | {"word/document.xml": markup.encode(encoding)}
    with pytest.raises(XmlDtdForbidden):
        sniff.media_type(zipped(members))


LAUGHS = "<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>"


def test_entities_that_multiply_are_a_bomb() -> None:
    """Entities made of entities are called a bomb, in office files and alone."""
    markup = f'<?xml version="1.0"?><!DOCTYPE x [{LAUGHS}]><x>&c;</x>'.encode()
    members = types("spreadsheetml.sheet") | {"xl/sharedStrings.xml": markup}
    for data in (zipped(members), markup):
        with pytest.raises(DecompressionBomb):
            sniff.media_type(data)


def test_xml_with_a_document_type_is_forbidden() -> None:
    """XML that names a file or an address is refused with a code of its own."""
    for where in ('SYSTEM "file:///etc/passwd"', 'PUBLIC "-//X" "http://127.0.0.1/x"'):
        with pytest.raises(XmlDtdForbidden):
            sniff.media_type(f'<?xml version="1.0"?><!DOCTYPE a {where}><a/>'.encode())


def test_packed_archives_that_swell_are_bombs() -> None:
    """A gzip of nothing but zeros, and one within one within one, are bombs; others unsupported."""
    with pytest.raises(DecompressionBomb, match="swell"):
        sniff.media_type(gzip.compress(bytes(20_000_000)))
    nested = b"words"
    for _ in range(6):
        nested = gzip.compress(nested)
    with pytest.raises(DecompressionBomb, match="without end"):
        sniff.media_type(nested)
    with pytest.raises(UnsupportedType):
        sniff.media_type(gzip.compress(PROSE.encode() * 20))


@pytest.mark.parametrize("name", ["a.odt", "a.docx", "scan.PNG", "b.c.xlsx"])
def test_plain_text_under_another_name_is_a_mismatch(name: str) -> None:
    """Text whose name claims a format with marks of its own is not taken for a document."""
    with pytest.raises(TypeMismatch):
        sniff.media_type(b"This is not a zip file!\n", name)


def test_a_pdf_of_which_nothing_is_left_is_corrupt() -> None:
    """A few letters called a PDF are the rest of a PDF."""
    with pytest.raises(CorruptFile):
        sniff.media_type(b"oops\n", "bad.pdf")


@pytest.mark.parametrize("name", [None, "", "notes", "notes.txt", "README.md", "old.doc", "x.log"])
def test_a_name_that_text_may_have_is_no_mismatch(name: str | None) -> None:
    """Names that claim nothing, or a kind of text, change nothing."""
    assert sniff.media_type(PROSE.encode(), name) == sniff.TEXT


def test_a_table_called_a_workbook_is_read() -> None:
    """Programs export tables as text under the name of a workbook."""
    assert sniff.media_type(b"name,amount\nrent,100\nheat,30\n", "export.xls") == sniff.CSV
