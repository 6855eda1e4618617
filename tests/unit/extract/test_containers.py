"""Files inside files: taken out whole, within limits, and to nowhere else."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import pikepdf
import pytest
from msoffcrypto.format.ooxml import OOXMLFile
from outlook_files import BODY, FILE_NAME, SUBJECT, compound, message, wide

from inbox import errors
from inbox.extract import Reader, Taken, Unpacking
from inbox.settings import Settings

LIMITS = Unpacking(levels=3)
DATA, METHOD, EMBEDDED = 0x37010102, 0x37050003, "__substg1.0_3701000D"
Unpack = Callable[..., list[tuple[str, bytes | str | None]]]


@pytest.fixture
def unpack(reader: Reader, put: Callable[[bytes], Path]) -> Unpack:
    """Names with the bytes that were taken out, or with the code of why they were not."""

    def unpack(
        data: bytes, limits: Unpacking = LIMITS, passwords: Sequence[str] = ()
    ) -> list[tuple[str, bytes | str | None]]:
        with reader.unpack(put(data), limits, passwords=passwords) as (taken, output):
            return [(one.name, one.code or read(one, output)) for one in taken]

    def read(one: Taken, output: Any) -> bytes:
        output.seek(one.start)
        found: bytes = output.read(one.size)
        assert len(found) == one.size
        return found

    return unpack


def zipped(members: dict[str, bytes], **options: Any) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return out.getvalue()


def letter(subject: str = "Offer") -> EmailMessage:
    """A message of one sentence."""
    made = EmailMessage()
    made["From"], made["Subject"] = "a@example.org", subject
    made.set_content(f"The words of {subject}.")
    return made


# -- archives -------------------------------------------------------------------------------


def test_the_files_of_an_archive_are_taken_out(unpack: Unpack) -> None:
    """In its order, under the last part of their names; what systems add is left."""
    data = zipped(
        {
            "b.txt": b"first",
            "folder/": b"",
            "folder/a.txt": b"second",
            "empty": b"",
            "__MACOSX/._b.txt": b"x",
            ".DS_Store": b"x",
        }
    )
    assert unpack(data) == [("b.txt", b"first"), ("a.txt", b"second"), ("empty", b"")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\win.ini", "win.ini"),
        ("..", "unnamed"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
        ("Köln.txt", "Köln.txt"),
    ],
)
def test_a_name_is_only_a_word(unpack: Unpack, name: str, shown: str) -> None:
    """Whatever it is, it names no place."""
    assert unpack(zipped({name: b"x"})) == [(shown, b"x")]


def test_an_archive_is_a_container(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """It has no page, and says how many files are inside; asked for its text, it is refused."""
    path = put(zipped({"a.txt": b"x", "b.txt": b"y"}))
    document = reader.read(path, unpack=LIMITS)
    assert (document.media_type, document.pages) == ("application/zip", ())
    assert (document.container, document.children) == (True, 2)
    with pytest.raises(errors.UnsupportedType):
        reader.read(path)


def overlapping() -> bytes:
    """An archive whose directory names the same bytes a hundred times."""
    data = zipped({"a": bytes(1000)})
    at = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[at:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 100, 100, len(entry) * 100, at, 0)
    return data[:at] + entry * 100 + tail


@pytest.mark.parametrize(
    ("data", "limits", "error"),
    [
        (overlapping(), LIMITS, errors.DecompressionBomb),
        (zipped({"a": bytes(30_000_000)}), LIMITS, errors.DecompressionBomb),
        (zipped({"a": bytes(9000)}), Unpacking(max_bytes=8000), errors.ContainerTooLarge),
        (zipped({str(n): b"" for n in range(5)}), Unpacking(max_files=4), errors.TooManyEntries),
        (zipped({"a": b"x"}), Unpacking(levels=0), errors.TooDeep),
        (zipped({}), LIMITS, errors.EmptyFile),
        (zipped({"only/": b""}), LIMITS, errors.EmptyFile),
        (zipped({"a": bytes(9000)})[:-30], LIMITS, errors.CorruptFile),
    ],
    ids=["overlap", "ratio", "bytes", "files", "depth", "nothing", "folders", "cut"],
)
def test_an_archive_that_is_not_safe_is_refused_unopened(
    reader: Reader,
    put: Callable[[bytes], Path],
    data: bytes,
    limits: Unpacking,
    error: type[errors.InboxError],
) -> None:
    """By what its directory says, before a byte is unpacked."""
    with pytest.raises(error):
        reader.read(put(data), unpack=limits)


def test_a_directory_that_lies_gains_nothing(unpack: Unpack) -> None:
    """What unpacks to more than it claimed is damaged, and cut where the claim ends."""
    data = bytearray(zipped({"a": bytes(range(256)) * 40, "b": b"sound"}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    assert unpack(bytes(data)) == [("a", "corrupt_file"), ("b", b"sound")]


def test_one_damaged_member_costs_only_itself(unpack: Unpack) -> None:
    """The others are taken out."""
    data = bytearray(zipped({"a": b"hello" * 50, "b": b"sound"}))
    data[32:36] = b"\xff\xff\xff\xff"
    assert unpack(bytes(data)) == [("a", "corrupt_file"), ("b", b"sound")]


def test_a_member_that_is_too_large_costs_only_itself(unpack: Unpack) -> None:
    """It is named, with the reason."""
    data = zipped({"a": bytes(5000), "b": b"sound"})
    limits = Unpacking(max_file_bytes=4000)
    assert unpack(data, limits) == [("a", "file_too_large"), ("b", b"sound")]


def test_a_link_holds_nothing(unpack: Unpack) -> None:
    """It is not followed, and not taken for a file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
    assert unpack(out.getvalue()) == [("link", "unsupported_type")]


def locked(name: str, content: bytes, password: str) -> bytes:
    """A zip archive locked in the traditional way (APPNOTE 6.1), which zipfile only reads."""
    table = [_crc_entry(n) for n in range(256)]

    def step(crc: int, byte: int) -> int:
        return (crc >> 8) ^ table[(crc ^ byte) & 0xFF]

    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = step(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = step(keys[2], keys[1] >> 24)

    for byte in password.encode():
        update(byte)
    plain = zipfile.zlib.crc32(content).to_bytes(4, "little")  # type: ignore[attr-defined]
    closed = bytearray()
    for byte in bytes(11) + plain[3:] + content:
        mask = (keys[2] | 2) & 0xFFFF
        closed.append(byte ^ ((mask * (mask ^ 1)) >> 8 & 0xFF))
        update(byte)
    sizes = struct.pack("<4sLL", plain, len(closed), len(content))
    head = struct.pack("<HHHHH", 20, 1, 0, 0, 33) + sizes
    named = struct.pack("<HH", len(name), 0)
    local = b"PK\x03\x04" + head + named + name.encode() + closed
    central = b"PK\x01\x02\x14\x00" + head + named + bytes(14) + name.encode()
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def _crc_entry(number: int) -> int:
    for _ in range(8):
        number = (number >> 1) ^ 0xEDB88320 if number & 1 else number >> 1
    return number


def test_a_password_opens_an_archive(
    unpack: Unpack, reader: Reader, put: Callable[[bytes], Path]
) -> None:
    """The right one of several; none, or a wrong one, is said."""
    data = locked("a.txt", b"secret words", "open sesame")
    assert unpack(data, passwords=["wrong", "open sesame"]) == [("a.txt", b"secret words")]
    assert unpack(data, passwords=["wrong"]) == [("a.txt", "encrypted_file")]
    for limits in (LIMITS, None):
        with pytest.raises(errors.EncryptedFile, match="send its password"):
            reader.read(put(data), unpack=limits)


def test_an_archive_that_is_locked_in_part_is_locked(
    reader: Reader, put: Callable[[bytes], Path]
) -> None:
    """Without a password nothing of it becomes a file; with one, everything is looked for."""
    data = bytearray(zipped({"a.txt": b"open words", "b.txt": b"other words"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of the first member in the directory
    path = put(bytes(data))
    for limits in (LIMITS, None):
        with pytest.raises(errors.EncryptedFile, match="a part of it"):
            reader.read(path, unpack=limits)
    assert reader.read(path, unpack=LIMITS, passwords=["x"]).children == 2


def test_an_archive_of_nothing_but_empty_files_is_unsupported(
    reader: Reader, put: Callable[[bytes], Path]
) -> None:
    """It is not a success without a page; with one file that has bytes, it is taken apart."""
    for limits in (LIMITS, None):
        with pytest.raises(errors.UnsupportedType):
            reader.read(put(zipped({"a.doc": b"", "b.txt": b""})), unpack=limits)
    assert reader.read(put(zipped({"a.doc": b"", "b.txt": b"b"})), unpack=LIMITS).children == 2


# -- mail -----------------------------------------------------------------------------------


def test_attachments_and_messages_inside_are_taken_out(unpack: Unpack) -> None:
    """Byte for byte; a message inside is mail again, with what is attached to it."""
    inner = letter("Inner")
    inner.add_attachment(b"deep", maintype="application", subtype="octet-stream", filename="d")
    made = letter("Outer")
    made.add_attachment(b"%PDF-x", maintype="application", subtype="pdf", filename="../a.pdf")
    made.add_attachment(inner)
    made.add_attachment("a note", filename="note.txt")
    (pdf, mail, note) = unpack(made.as_bytes())
    assert pdf == ("a.pdf", b"%PDF-x")
    assert note == ("note.txt", b"a note\n")
    assert mail[0] == "Inner.eml"
    assert isinstance(mail[1], bytes)
    assert unpack(mail[1]) == [("d", b"deep")]


def test_a_message_inside_is_no_part_of_the_letter(
    reader: Reader, put: Callable[[bytes], Path]
) -> None:
    """Its words are said once: where it is taken out, there."""
    made = letter("Outer")
    made.add_attachment(letter("Inner"))
    path = put(made.as_bytes())
    apart, together = reader.read(path, unpack=LIMITS), reader.read(path)
    assert (apart.children, together.children) == (1, 0)
    assert ["words of Inner" in each.text for each in (apart, together)] == [False, True]
    assert not apart.container


def test_the_look_of_a_letter_is_not_attached(unpack: Unpack) -> None:
    """Small pictures in it, signatures and other forms of it are no files; large pictures are."""
    made = letter()
    made.add_alternative("<p>Hello <img src='cid:logo'></p>", subtype="html")
    made.get_payload()[1].add_related(b"\x89PNG" * 20, "image", "png", cid="<logo>")
    made.get_payload()[1].add_related(b"\x89PNG" * 9000, "image", "png", cid="<scan>")
    made.make_mixed()
    made.add_attachment(b"sig", maintype="application", subtype="pkcs7-signature", filename="s.p7s")
    assert [name for name, _ in unpack(made.as_bytes())] == ["attachment 1.png"]


# -- Outlook --------------------------------------------------------------------------------


def outlook(streams: dict[str, bytes]) -> bytes:
    """An Outlook message from its streams."""
    return compound(streams)


def properties(head: int, values: dict[int, bytes], numbers: dict[int, int]) -> bytes:
    """A table of properties: texts and bytes by their length, whole numbers as they are."""
    rows = [struct.pack("<IIII", tag, 6, len(value), 0) for tag, value in values.items()]
    rows += [struct.pack("<IIII", tag, 6, value, 0) for tag, value in numbers.items()]
    return bytes(head) + b"".join(rows)


def test_attachments_of_an_outlook_message_are_taken_out(unpack: Unpack) -> None:
    """Byte for byte."""
    data = message(
        {SUBJECT: wide("x"), BODY: wide("y")},
        inner={"__attach_version1.0_#00000000": {FILE_NAME: wide("a.pdf"), DATA: b"%PDF-x"}},
    )
    (taken,) = unpack(data)
    assert taken[0] == "a.pdf"
    assert taken[1].rstrip(b"\0") == b"%PDF-x"  # type: ignore[union-attr]  # padded by the maker


def test_a_message_inside_an_outlook_message_is_mail(unpack: Unpack, reader: Reader) -> None:
    """It has no file form of its own; as mail it has its words and its attachment."""
    place = "__attach_version1.0_#00000000"
    within = f"{place}/{EMBEDDED}"
    texts = {SUBJECT: wide("Inner subject"), BODY: wide("Words inside.")}
    deep = {FILE_NAME: wide("d.txt"), DATA: b"deep"}
    streams = {
        "__properties_version1.0": properties(32, {SUBJECT: wide("Outer")}, {}),
        f"__substg1.0_{SUBJECT:08X}": wide("Outer"),
        f"{place}/__properties_version1.0": properties(8, {}, {METHOD: 5}),
        f"{within}/__properties_version1.0": properties(24, texts, {}),
        **{f"{within}/__substg1.0_{tag:08X}": value for tag, value in texts.items()},
        f"{within}/{place}/__properties_version1.0": properties(8, deep, {METHOD: 1}),
        **{f"{within}/{place}/__substg1.0_{tag:08X}": value for tag, value in deep.items()},
    }
    first, again = unpack(compound(streams)), unpack(compound(streams))
    assert first == again, "the same bytes each time"
    ((name, mail),) = first
    assert name.endswith(".eml")
    assert isinstance(mail, bytes)
    assert b"Inner subject" in mail
    assert b"Words inside." in mail
    ((name, content),) = unpack(mail)
    assert name == "d.txt"
    assert isinstance(content, bytes)
    assert content.rstrip(b"\0") == b"deep"


# -- PDF ------------------------------------------------------------------------------------


def with_files(data: bytes, *, portfolio: bool, **files: bytes) -> bytes:
    """The PDF with embedded files."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as opened:
        for name, content in files.items():
            opened.attachments[name] = content
        if portfolio:
            opened.Root.Collection = pikepdf.Dictionary(Type=pikepdf.Name.Collection)
        opened.save(out)
    return out.getvalue()


def test_files_embedded_in_a_pdf_are_taken_out(
    unpack: Unpack, reader: Reader, put: Callable[[bytes], Path], pdf: Any
) -> None:
    """Beside pages the document keeps its text; a portfolio is nothing but a case."""
    words = "These are the words of the page itself, and they are read"
    page = pdf.page(words).bytes()
    beside = with_files(page, portfolio=False, one=b"1" * 5000, two=b"second")
    assert unpack(beside) == [("one", b"1" * 5000), ("two", b"second")]
    document = reader.read(put(beside), unpack=LIMITS)
    assert (document.text, document.children, document.container) == (words, 2, False)
    case = reader.read(put(with_files(page, portfolio=True, one=b"x")), unpack=LIMITS)
    assert (case.pages, case.children, case.container) == ((), 1, True)


def test_an_embedded_file_that_swells_costs_only_itself(unpack: Unpack, pdf: Any) -> None:
    """It is unpacked no further than a file may be long."""
    data = with_files(pdf.page("x").bytes(), portfolio=False, bomb=bytes(40_000_000), note=b"n")
    limits = Unpacking(max_file_bytes=100_000)
    assert unpack(data, limits) == [("bomb", "file_too_large"), ("note", b"n")]


def test_a_password_opens_a_pdf(
    reader: Reader, put: Callable[[bytes], Path], pdf: Any, letter: Any
) -> None:
    """Its text layer, its scanned pages, and what is embedded in it."""
    plain = pdf.page("The first page has a text layer with enough words on it").page(
        picture=letter, box=(0, 200, 612, 592)
    )
    data = with_files(plain.bytes(), portfolio=False, inner=b"embedded")
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as opened:
        opened.save(out, encryption=pikepdf.Encryption(owner="o", user="sesame"))
    path = put(out.getvalue())
    document = reader.read(path, unpack=LIMITS, passwords=["wrong", "sesame"])
    assert "text layer with enough words" in document.pages[0].text
    assert "Northwind Trading Company" in document.pages[1].text
    assert document.children == 1
    with reader.unpack(path, LIMITS, passwords=["sesame"]) as (taken, output):
        output.seek(0)
        assert output.read(taken[0].size) == b"embedded"
    with pytest.raises(errors.EncryptedFile, match="no password of the job"):
        reader.read(path, passwords=["wrong"])
    with pytest.raises(errors.EncryptedFile, match="send its password"):
        reader.read(path)


def test_a_password_opens_an_office_document(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """The right one of several; none, or a wrong one, is said."""
    made, plain, closed = docx.Document(), io.BytesIO(), io.BytesIO()
    made.add_paragraph("The lease begins in May.")
    made.save(plain)
    OOXMLFile(plain).encrypt("sesame", closed)
    path = put(closed.getvalue())
    assert reader.read(path, passwords=["wrong", "sesame"]).text == "The lease begins in May."
    with pytest.raises(errors.EncryptedFile, match="no password of the job"):
        reader.read(path, passwords=["wrong"])
    with pytest.raises(errors.EncryptedFile, match="send its password"):
        reader.read(path)
    broken = closed.getvalue().replace(b"<encryption", b"<encruption")
    with pytest.raises(errors.CorruptFile):
        reader.read(put(broken), passwords=["sesame"])


def test_a_full_disk_is_no_fault_of_the_container(
    put: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No room for a temporary file can be another time's luck."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with Reader(Settings(_env_file=None)) as reader, pytest.raises(errors.NoSpace):  # noqa: SIM117
        with reader.unpack(put(zipped({"a": b"x"})), LIMITS):
            raise AssertionError
