"""Is it text, in which encoding, and what kind of text: judged by the text itself."""

from __future__ import annotations

import codecs
import csv
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
# Bytes from which statistics can tell something.
_TELLING = 48
# Compressed or compiled bytes hold about a tenth of control characters, damaged text a few.
_MAX_CONTROL_SHARE = 0.02
_SAMPLE = 64 * 1024
_HEAD_OF_CSV = 64 * 1024
# What documents are written in, the commonest first. Among all that there are, statistics prefer a
# printer's or an old Macintosh's to what an office in Spain or Japan sends.
_ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_2",
    "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr",
)  # fmt: skip
# Polish that is read as if it were Western has signs within its words.
_SPLIT = re.compile(r"[^\W\d_][\u00b9\u00b2\u00b3\u00bc\u00be\u00bf\u00af][^\W\d_]")
# Headers grow long: lists of recipients, signatures, a trace of every hop.
_HEADERS = 256 * 1024

_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*:(?!//)")
_STRONG = {
    "received", "return-path", "message-id", "mime-version", "delivered-to", "x-mailer",
    "content-transfer-encoding", "dkim-signature", "authentication-results", "reply-to",
    "in-reply-to", "x-original-to", "x-received", "list-unsubscribe",
}  # fmt: skip
_WEAK = {"from", "to", "cc", "subject", "date", "sender", "content-type"}
_FEWEST_CELLS, _FEWEST_EACH_WAY, _REGULAR_SHARE, _CELL_LENGTH = 6, 2, 0.9, 40
_HTML = re.compile(
    r"<(!doctype\s+html|html|head|body|title|meta|table|div|p|h[1-6]|ul|ol|span|center|font)\b",
    re.IGNORECASE,
)


def encoding_by_mark(data: bytes) -> tuple[str, int] | None:
    """The encoding that a byte-order mark names, and the length of the mark."""
    return next(((name, len(bom)) for bom, name in _BOMS if data.startswith(bom)), None)


def is_text(data: bytes) -> bool:
    """Whether a person could read this in an editor."""
    sample = data[:_SAMPLE]
    if encoding_by_mark(data) or _utf16_without_mark(sample):
        return True
    return len(_CONTROL.findall(sample)) <= _MAX_CONTROL_SHARE * len(sample)


def decode(data: bytes) -> str:
    """Text from bytes in any encoding; bytes that fit none become U+FFFD."""
    marked = encoding_by_mark(data)
    if marked is not None:
        name, length = marked
        return data[length:].decode(name, "replace")
    unmarked = _utf16_without_mark(data[:_SAMPLE])
    if unmarked:
        return data.decode(unmarked, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return data.decode("utf-8", "ignore")
    return _guess(data)


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    # Too little to tell by statistics: what most such files are.
    if len(data) < _TELLING:
        return data.decode("cp1252", "replace")
    found = from_bytes(data[:_SAMPLE], cp_isolation=list(_ENCODINGS))
    likely = [one for one in found if one.encoding != "cp1252" or not _SPLIT.search(str(one))]
    if not likely:
        return data.decode("cp1252", "replace")
    best = (likely[0].chaos, likely[0].coherence)
    equal = [one.encoding for one in likely if (one.chaos, one.coherence) == best]
    return data.decode(min(equal, key=_ENCODINGS.index), "replace")


def _utf16_without_mark(sample: bytes) -> str | None:
    """Latin text in UTF-16 has a zero in every other place, and nowhere else."""
    if len(sample) < _TELLING or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def looks_like_mail(data: bytes) -> bool:
    """Whether the text begins with the headers of a message."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return False
    head = data[:_HEADERS].removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n \t").decode("latin-1")
    lines = head.splitlines()
    if lines and lines[0].startswith(("From ", ">From ")):
        del lines[0]
    names = set()
    for line in lines:
        if not line.strip():
            break
        match = _HEADER.match(line)
        if match:
            names.add(match[1].lower())
        elif line[0] not in " \t":
            break
    strong, weak = names & _STRONG, names & _WEAK
    return bool(strong and (weak or len(strong) > 1)) or {"from", "subject"} <= weak


def looks_like_html(text: str) -> bool:
    """Whether the text is marked up for a browser."""
    head = text.lstrip("\ufeff \t\r\n")
    if not head.startswith("<"):
        return False
    if re.match(r"<(!doctype\s+html|html)\b", head, re.IGNORECASE):
        return True
    if head.startswith("<?xml"):
        return bool(re.search(r"<html\b", head[:2048], re.IGNORECASE))
    return bool(_HTML.match(re.sub(r"\A(<!--.*?-->\s*)+", "", head, flags=re.DOTALL)))


def mark_of_csv(text: str) -> str | None:
    """What parts the cells, where the lines fall into the same number of short ones."""
    lines = [line for line in text[:_HEAD_OF_CSV].splitlines()[:60] if line.strip()][:40]
    marks = (mark for mark in (",", ";", "\t", "|") if _falls_into_cells(lines, mark))
    return next(marks, None)


def _falls_into_cells(lines: list[str], mark: str) -> bool:
    try:
        rows = [row for row in csv.reader(lines, delimiter=mark) if row]
    except csv.Error:
        return False
    widths = [len(row) for row in rows]
    usual = max(set(widths), key=widths.count, default=0)
    # Two lines with a comma each are prose.
    if usual * len(rows) < _FEWEST_CELLS or min(usual, len(rows)) < _FEWEST_EACH_WAY:
        return False
    if widths.count(usual) < _REGULAR_SHARE * len(rows):
        return False
    # A sentence can hold as many commas as its neighbour; its parts are longer than a cell's, and
    # begin with a space.
    cells = [cell for row in rows for cell in row]
    spaced = sum(cell.startswith(" ") for row in rows for cell in row[1:])
    return (
        sum(map(len, cells)) / len(cells) < _CELL_LENGTH
        and spaced < 0.5 * max(1, len(cells) - len(rows))
        and not (mark == "|" and all(line.lstrip().startswith("|") for line in lines))
    )


def looks_like_markdown(text: str) -> bool:
    """Whether at least two marks of Markdown are in the text."""
    marks = (
        r"^#{1,6} \S.*\n\s*\n",  # a heading with room below
        r"^(```|~~~)",  # a fence
        r"\[[^\]\n]+\]\((https?:|/|\.|#|mailto:)[^)\s]*\)",  # a link
        r"^\|.+\|\s*\n\|[ :|-]+\|",  # a table
        r"(?<!\*)\*\*[^*\n]+\*\*(?!\*)",  # bold
    )
    return sum(bool(re.search(mark, text, re.MULTILINE)) for mark in marks) > 1
