"""Header values with parameters, as multipart bodies carry them."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

# In quotes a backslash escapes only a quote or itself: old browsers send `C:\\dir\\a.pdf` raw.
PARAMETER = re.compile(
    rb";\s*([^\s=;\"]+)\s*=\s*"
    rb"(?:\"((?:[^\"\\]|\\[\"\\]|\\(?![\"\\]))*+)\"|([^;]*))"
)
ESCAPED = re.compile(rb"\\([\"\\])")
SECTION = re.compile(r"([^*]+)\*(\d{1,3})(\*?)")
# What browsers and curl write in a quoted name in place of a quote and a line break.
BROWSER_ESCAPES = ((b"%22", b'"'), (b"%0D", b"\r"), (b"%0A", b"\n"))
CHARSETS = {"utf-8", "utf8", "iso-8859-1", "latin-1", "us-ascii", "ascii"}


def main_value(header: bytes) -> str:
    """What stands before the first parameter, in lower case."""
    return header.partition(b";")[0].strip().lower().decode("latin-1")


def parameters(header: bytes) -> dict[str, str]:
    """The parameters of a header value, by lower-case name.

    Understands quoted and bare values in UTF-8 or Latin-1, `name*=charset'language'percent` and
    values in numbered sections; the starred form wins where both are present.
    """
    plain: dict[str, str] = {}
    starred: dict[str, str] = {}
    sections: dict[str, dict[int, bytes]] = {}
    for match in PARAMETER.finditer(header):
        name = match[1].decode("latin-1").lower()
        value = ESCAPED.sub(rb"\1", match[2]) if match[2] is not None else match[3].strip()
        if section := SECTION.fullmatch(name):
            numbered = sections.setdefault(section[1], {})
            numbered[int(section[2])] = _section(value, int(section[2]), bool(section[3]))
        elif name.endswith("*"):
            if (decoded := _extended(value)) is not None:
                starred[name[:-1]] = decoded
        else:
            plain.setdefault(name, decode(_unescape(value)))
    joined = {
        name: decode(b"".join(numbered[number] for number in sorted(numbered)))
        for name, numbered in sections.items()
    }
    return plain | joined | starred


def decode(raw: bytes) -> str:
    """UTF-8 where it is that, else Latin-1, which every byte string is."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unescape(value: bytes) -> bytes:
    for escaped, plain in BROWSER_ESCAPES:
        value = value.replace(escaped, plain)
    return value


def _extended(value: bytes) -> str | None:
    charset, quote, rest = value.decode("latin-1").partition("'")
    _, second, text = rest.partition("'")
    if not (quote and second) or charset.lower() not in CHARSETS:
        return None
    try:
        return unquote_to_bytes(text).decode(charset)
    except UnicodeDecodeError:
        return None


def _section(value: bytes, number: int, encoded: bool) -> bytes:  # noqa: FBT001
    if not encoded:
        return value
    if number == 0:  # begins with charset'language'
        value = value.split(b"'", 2)[-1]
    return unquote_to_bytes(value)
