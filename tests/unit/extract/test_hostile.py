"""Files built to do harm, and files that nobody reads: each ends with the code that fits."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_files import DOCX_TYPES, deflated, many_pages, zeros, zipped
from PIL import Image

from inbox import errors
from inbox.extract import Reader, archive, sniff
from inbox.settings import Settings


def test_a_gigabyte_of_zeros_in_an_office_file_is_a_bomb(
    reader: Reader, put: Callable[[bytes], Path]
) -> None:
    """An office file of a megabyte that unpacks to a gigabyte is refused by its own table."""
    types = ("[Content_Types].xml", deflated(DOCX_TYPES), len(DOCX_TYPES))
    data = zipped([types, ("word/document.xml", zeros(1024), 1 << 30)])
    assert len(data) < 2_000_000
    with pytest.raises(errors.DecompressionBomb):
        reader.read(put(data))


def test_a_member_that_lies_about_its_size_is_corrupt(
    reader: Reader, put: Callable[[bytes], Path]
) -> None:
    """A gigabyte that claims to be a kilobyte is not unpacked to its end."""
    types = ("[Content_Types].xml", deflated(DOCX_TYPES), len(DOCX_TYPES))
    with pytest.raises(errors.CorruptFile):
        reader.read(put(zipped([types, ("word/document.xml", zeros(1024), 1000)])))


def test_members_that_lie_over_each_other_are_a_bomb() -> None:
    """A thousand members that are the same bytes add up to more than any document."""
    packed = zeros(1)
    first = ("[Content_Types].xml", deflated(DOCX_TYPES), len(DOCX_TYPES))
    others = [(f"{number}.xml", packed, 1 << 20) for number in range(1000)]
    data = zipped([first, *others], shared=packed)
    assert len(data) < 100_000
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert len(opened.namelist()) == 1001
    with pytest.raises(errors.DecompressionBomb):
        archive.media_type(data)


def test_ten_thousand_pages_are_too_many(reader: Reader, put: Callable[[bytes], Path]) -> None:
    """A PDF with more pages than allowed is refused before any is read."""
    with pytest.raises(errors.TooManyPages):
        reader.read(put(many_pages(10_000)))


def test_a_text_that_takes_for_ever_is_given_up(
    put: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs no OCR has its own bound of processor time, far under that of a whole file."""
    monkeypatch.setattr("inbox.extract._PLAN_CPU_SECONDS", 1)
    opened = b"# Title\n\n" + b"[" * 50_000 + b"x" + b"](http://example.org)" * 50_000
    with (
        Reader(Settings(_env_file=None, file_timeout_seconds=900)) as reader,
        pytest.raises(errors.ReadTimeout, match="processor"),
    ):
        reader.read(put(opened))


@pytest.mark.parametrize(
    "name",
    ["../../x", "/etc/passwd", "a\0b.pdf", "x" * 300 + ".pdf", "\u202etxt.exe", "", "~", "con.txt"],
)
def test_a_name_is_never_a_path(
    reader: Reader, put: Callable[[bytes], Path], tmp_path: Path, pdf: Any, name: str
) -> None:
    """What a file is called changes neither what is read nor what is on the disk."""
    path = put(pdf.page("The same words, whatever the file is called").bytes())
    assert reader.read(path, name=name).text.startswith("The same words")
    assert list(tmp_path.iterdir()) == [path]


def test_a_jpeg_cut_short_is_said_to_be(
    reader: Reader, put: Callable[[bytes], Path], letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """A photograph whose upload stopped is told from one that is damaged."""
    data = saved(letter, "JPEG")
    with pytest.raises(errors.TruncatedFile):
        reader.read(put(data[: len(data) // 2]))


def sgi(offset: int) -> bytes:
    """A packed SGI picture of 4 rows that begin at `offset`."""
    head = struct.pack(">HBBHHHH", 474, 1, 1, 2, 8, 4, 1).ljust(512, b"\0")
    return head + struct.pack(">8I", *[offset] * 4, *[4] * 4) + bytes(16)


def icons(side: int) -> bytes:
    """A set of icons with one picture of this size."""
    inner = b"ihdr" + struct.pack(">II", side, side) + bytes(8)
    return b"icns" + struct.pack(">I", 16 + len(inner)) + b"ic08" + bytes(4) + inner + bytes(64)


def help_file(size: int) -> bytes:
    """A help file whose only page has this size."""
    length = bytes(reversed([(size >> (7 * n)) & 0x7F | (0x80 if n else 0) for n in range(5)]))
    entry = b"\x05/a.ht\x01\x00" + length
    return b"ITSF" + bytes(200) + b"PMGL" + bytes(16) + entry + bytes(64)


def eps(program: bytes) -> bytes:
    """PostScript with a binary head."""
    return b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIII", 30, len(program), 0, 0, 0, 0)[:26] + program


ONENOTE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(range(200))


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [
        (sgi(544), "a.sgi", errors.UnsupportedType),
        (sgi(5440), "a.sgi", errors.CorruptFile),
        (sgi(544)[:500], "a.sgi", errors.CorruptFile),
        (icons(256), "a.icns", errors.UnsupportedType),
        (icons(100_000), "a.icns", errors.DecompressionBomb),
        (help_file(900), "a.chm", errors.UnsupportedType),
        (help_file(900_000_000), "a.chm", errors.DecompressionBomb),
        (eps(b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(range(256))), "a.eps", errors.UnsupportedType),
        (eps(b"\0" * 200_000), "a.eps", errors.ReadTimeout),
        (ONENOTE, "a.one", errors.UnsupportedType),
        (bytes(range(256)), "a.one", errors.CorruptFile),
        (bytes(range(256)), None, errors.UnsupportedType),
    ],
)
def test_what_nobody_reads_is_told_from_what_is_harmful(
    data: bytes, name: str | None, error: type[errors.InboxError]
) -> None:
    """A format without a reader is unsupported, unless its head already lies."""
    with pytest.raises(errors.InboxError) as caught:
        sniff.media_type(data, name)
    assert type(caught.value) is error
