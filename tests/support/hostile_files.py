"""Files built to do harm, made here."""

from __future__ import annotations

import io
import itertools
import struct
import zlib

import pikepdf

DOCX_TYPES = (
    b'<?xml version="1.0"?><Types><Override PartName="/word/document.xml" ContentType="application/'
    b'vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)


def zeros(mebibytes: int) -> bytes:
    """A deflated stream of so many MiB of zeros, made without deflating them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * mebibytes + packer.flush(zlib.Z_FINISH)


def zipped(members: list[tuple[str, bytes, int]], shared: bytes | None = None) -> bytes:
    """A zip of deflated members (name, deflated bytes, claimed size).

    With `shared`, all members but the first are the same bytes of the file.
    """
    out, central = bytearray(), bytearray()
    for number, (name, packed, size) in enumerate(members):
        body = packed if shared is None or number == 0 else shared
        rest = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(body), size, len(name), 0)
        if shared is None or number < 2:
            place = len(out)
            out += b"PK\x03\x04" + rest + name.encode() + body
        central += b"PK\x01\x02\x14\x00" + rest + bytes(10) + struct.pack("<I", place)
        central += name.encode()
    end = struct.pack("<HHHHIIH", 0, 0, *2 * [len(members)], len(central), len(out), 0)
    return bytes(out + central + b"PK\x05\x06" + end)


def deflated(data: bytes) -> bytes:
    """Deflated without a head."""
    return zlib.compress(data, 9)[2:-4]


def many_pages(count: int) -> bytes:
    """A PDF with so many empty pages."""
    made = pikepdf.new()
    made.add_blank_page()
    made.pages.extend(itertools.repeat(made.pages[0], count - 1))
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()
