"""Formats that no reader is for: told apart from files that are damaged, or built to do harm.

Nothing is decoded; only what the heads of these files claim is held against their size.
"""

from __future__ import annotations

import re
import struct

from inbox.errors import CorruptFile, DecompressionBomb, ReadTimeout

_MAX_PIXELS = 150_000_000
# The format allows 255 characters in a line of comments.
_ENDLESS_LINE = 64 * 1024
# Compressed help files hold about five times their size.
_SWELLING = 32
_MOST_ENTRIES = 10_000


def refuse_harmful(data: bytes, name: str | None = None) -> None:
    """Let pass what is merely not wanted.

    Args:
        data: the bytes.
        name: what the file is called.

    Raises:
        CorruptFile: it is not a whole file of the format it claims.
        DecompressionBomb: it claims far more than it can hold.
        ReadTimeout: it is built to keep its reader busy.
    """
    for magic, check in _CHECKS.items():
        if data.startswith(magic):
            try:
                check(data)
            except (struct.error, IndexError):
                raise CorruptFile("The file is cut short within its head.") from None
    if (name or "").lower().endswith(".one") and not data.startswith(_ONENOTE):
        raise CorruptFile("The file is called a OneNote section, and is none.")


def _check_sgi(data: bytes) -> None:
    """Rows of a packed picture lie where its two tables say, and nowhere else."""
    packed, _, _, _, high, channels = struct.unpack_from(">BBHHHH", data, 2)
    if packed:
        count = high * channels
        table = struct.unpack_from(f">{2 * count}I", data, 512)
        ends = (start + size for start, size in zip(table[:count], table[count:], strict=True))
        if any(end > len(data) for end in ends):
            raise CorruptFile("Rows of the picture lie outside of the file.")


def _check_icons(data: bytes) -> None:
    """A picture inside a set of icons is no larger than a page."""
    for found in re.finditer(rb"ihdr(.{8})", data, re.DOTALL):
        high, wide = struct.unpack(">II", found[1])
        if high * wide > _MAX_PIXELS:
            raise DecompressionBomb("A picture in the set of icons claims an absurd size.")


def _check_postscript(data: bytes) -> None:
    """The program begins with its comments, line by line."""
    (start,) = struct.unpack_from("<I", data, 4)
    program = data[start:]
    lines = re.split(rb"[\r\n]", program[: 8 * _ENDLESS_LINE])
    if not program.startswith(b"%!") and max(map(len, lines)) > _ENDLESS_LINE:
        raise ReadTimeout("The PostScript program is built to keep its reader busy.")


def _check_help(data: bytes) -> None:
    """What the directory of a help file promises can come out of its bytes."""
    place = data.find(b"PMGL") + 20
    promised = 0
    for _ in range(_MOST_ENTRIES):
        if place < len("PMGL") + 20 or place >= len(data) or not data[place]:
            break
        length, place = _number(data, place)
        _, place = _number(data, place + length)
        offset, place = _number(data, place)
        size, place = _number(data, place)
        promised = max(promised, offset + size)
    if promised > _SWELLING * len(data):
        raise DecompressionBomb("The help file claims to hold far more than it can.")


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = 0
    while data[place] & 0x80:
        value, place = (value << 7) | (data[place] & 0x7F), place + 1
    return (value << 7) | data[place], place + 1


_ONENOTE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
_CHECKS = {
    b"\x01\xda": _check_sgi,
    b"icns": _check_icons,
    b"\xc5\xd0\xd3\xc6": _check_postscript,
    b"ITSF": _check_help,
}
