"""Outlook messages made on the spot: compound files ([MS-CFB]) with properties in them."""

from __future__ import annotations

import struct
from pathlib import PurePosixPath

_SECTOR = 512
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def compound(streams: dict[str, bytes]) -> bytes:
    """A compound file with these streams by path; every stream is padded to 4,096 bytes.

    Short streams would live in a mini-stream of their own; padded, none is short.
    """
    names = ["", *sorted({str(one) for path in streams for one in _lineage(path)})]
    body, starts, fat = b"", {}, []
    for path, data in streams.items():
        padded = data + bytes(-len(data) % 4096 or (4096 if not data else 0))
        starts[path] = (len(fat), len(padded))
        count = len(padded) // _SECTOR
        fat += [len(fat) + number + 1 for number in range(count - 1)] + [_END]
        body += padded
    directory = b"".join(_entry(name, names, starts) for name in names)
    directory += bytes(-len(directory) % _SECTOR)
    first, count = len(fat), len(directory) // _SECTOR
    fat += [first + number + 1 for number in range(count - 1)] + [_END]
    tables = -(-(len(fat) + 8) // 128)
    table_at = list(range(len(fat), len(fat) + tables))
    fat += [_FAT] * tables
    fat += [_FREE] * (tables * 128 - len(fat))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, tables, first, 0, 4096, _END, 0, _END, 0)
    head += struct.pack("<109I", *table_at, *[_FREE] * (109 - tables))
    return head + body + directory + struct.pack(f"<{len(fat)}I", *fat)


def _lineage(path: str) -> list[PurePosixPath]:
    whole = PurePosixPath(path)
    return [whole, *(one for one in whole.parents if str(one) != ".")]


def _entry(name: str, names: list[str], starts: dict[str, tuple[int, int]]) -> bytes:
    """One line of the directory; siblings hang in a chain to the right."""
    parent = str(PurePosixPath(name).parent).removeprefix(".") if name else None
    later = [
        other
        for other in names[names.index(name) + 1 :]
        if name and str(PurePosixPath(other).parent).removeprefix(".") == parent
    ]
    inner = [
        other
        for other in names
        if other and str(PurePosixPath(other).parent).removeprefix(".") == name
    ]
    start, size = starts.get(name, (0, 0))
    kind = 5 if not name else 2 if name in starts else 1
    called = (PurePosixPath(name).name if name else "Root Entry").encode("utf-16-le") + b"\0\0"
    entry = called.ljust(64, b"\0") + struct.pack("<HBB", len(called), kind, 1)
    entry += struct.pack("<I", _FREE)
    entry += struct.pack("<I", names.index(later[0]) if later else _FREE)
    entry += struct.pack("<I", names.index(inner[0]) if inner else _FREE)
    return (
        entry + bytes(36) + struct.pack("<IQ", start if name in starts else _END * (not name), size)
    )


def _table(head: int, values: dict[int, bytes]) -> bytes:
    """The table of properties of a message, a recipient or an attachment."""
    return bytes(head) + b"".join(
        struct.pack("<IIII", tag, 6, len(v), 0) for tag, v in values.items()
    )


def message(values: dict[int, bytes], *, inner: dict[str, dict[int, bytes]] | None = None) -> bytes:
    """An Outlook message: its properties by tag, and those of recipients and attachments."""
    streams = {"__properties_version1.0": _table(32, values)}
    streams |= {f"__substg1.0_{tag:08X}": data for tag, data in values.items()}
    for name, more in (inner or {}).items():
        streams[f"{name}/__properties_version1.0"] = _table(8, more)
        streams |= {f"{name}/__substg1.0_{tag:08X}": data for tag, data in more.items()}
    return compound(streams)


def wide(text: str) -> bytes:
    """Text as Outlook stores it."""
    return text.encode("utf-16-le")


SUBJECT, BODY, HTML, HEADERS = 0x0037001F, 0x1000001F, 0x10130102, 0x007D001F
SENDER, SENDER_ADDRESS = 0x0C1A001F, 0x0C1F001F
NAME, ADDRESS, FILE_NAME = 0x3001001F, 0x3003001F, 0x3707001F
