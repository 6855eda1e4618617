"""What a damaged PDF has lost, so that a lost page is not taken for an empty one.

The library that opens damaged files leaves out what it cannot find, without a word: a page whose
content is gone looks like a page with nothing on it.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator
from typing import Any

from inbox.extract.pixels import ends_well

_REPAIRED = ("damaged", "reconstruct", "startxref", "xref not found")
_MAX_DEPTH = 50
_DRAWN = re.compile(rb"/([^\s/\[\]()<>{}%]+)\s+Do\b")
_SET_FONT = re.compile(rb"/([^\s/\[\]()<>{}%]+)\s+[-+.\d]+\s+Tf\b")
_FONT_TABLES = ("/ToUnicode", "/Encoding", "/DescendantFonts", "/FontDescriptor")
_MAX_FORMS = 64
_PNG_PREDICTOR = 10
_COMPONENTS = {"/DeviceGray": 1, "/CalGray": 1, "/Indexed": 1, "/DeviceRGB": 3, "/CalRGB": 3,
               "/Lab": 3, "/DeviceCMYK": 4}  # fmt: skip


class Damage:
    """Asks an opened PDF what is missing.

    Attributes:
        repaired: whether the table of objects was lost and had to be made anew.
    """

    def __init__(self, opened: Any, data: bytes) -> None:
        said = [str(warning) for warning in opened.get_warnings()]
        self.repaired = any(word in line for line in said for word in _REPAIRED)
        self._pages = opened.pages
        self._data = data

    def lost_content(self, index: int) -> bool:
        """Whether instructions for drawing this page are missing or cut short."""
        page = self._pages[index].obj
        streams = list(_streams(page))
        if not streams:
            return self._is_gone(page, "/Contents")
        if not all(map(_is_whole, streams)):
            return True
        # Without its fonts, a page says other letters than it shows.
        return self.repaired and not (
            _all_present(page, streams, _SET_FONT, "/Font") and self._fonts_whole(page)
        )

    def lost_pictures(self, index: int) -> bool:
        """Whether a picture on this page is missing or cut short."""
        page = self._pages[index].obj
        if not _all_present(page, list(_streams(page)), _DRAWN, "/XObject"):
            return True
        forms = 0
        pending = [_resources(page)]
        while pending and forms < _MAX_FORMS:
            for drawn in _values(pending.pop(), "/XObject"):
                kind = drawn.get("/Subtype")
                if kind == "/Image" and not _is_whole_picture(drawn):
                    return True
                if kind == "/Form":
                    forms += 1
                    if not _is_whole(drawn) or not _all_present(drawn, [drawn], _DRAWN, "/XObject"):
                        return True
                    pending.append(_resources(drawn))
        return False

    def _fonts_whole(self, page: Any) -> bool:
        """Whether no font lacks the tables that say which letters it draws."""
        import pikepdf

        resources = _resources(page)
        fonts = resources.get("/Font") if isinstance(resources, pikepdf.Dictionary) else None
        if not isinstance(fonts, pikepdf.Dictionary):
            return True
        return not any(
            self._is_gone(font, key)
            for font in fonts.values()
            if isinstance(font, pikepdf.Dictionary)
            for key in _FONT_TABLES
        )

    def _is_gone(self, owner: Any, key: str) -> bool:
        """Whether an entry names something that is not there: only the bytes still say so."""
        if key in owner:
            return False
        number, generation = owner.objgen
        head = re.compile(rb"(?<!\d)%d\s+%d\s+obj\b" % (number, generation))
        places = [found.end() for found in head.finditer(self._data)] if number else []
        if not places:  # in a compressed container, or part of another object
            return self.repaired and key == "/Contents"
        said = self._data[places[-1] : self._data.find(b"endobj", places[-1])]
        return re.search(rb"%s\s*(\d|\[\s*\d)" % key.encode(), said) is not None


def places(opened: Any, most: int) -> list[bool]:
    """Whether each page that the file names is in it, in their order.

    To be asked before the library has seen the pages, as it forgets what it does not find.

    Args:
        opened: the PDF.
        most: where to stop.
    """
    found: list[bool] = []
    _walk(opened.Root.get("/Pages"), found, most, 0)
    return found


def _walk(node: Any, found: list[bool], most: int, depth: int) -> None:
    import pikepdf

    kids = node.get("/Kids") if isinstance(node, pikepdf.Dictionary) else None
    if not isinstance(kids, pikepdf.Array) or depth > _MAX_DEPTH:
        return
    before, gone = len(found), None
    for kid in kids:
        if len(found) >= most:
            return
        if not isinstance(kid, pikepdf.Dictionary):
            gone = len(found)
            found.append(False)
        elif "/Kids" in kid:
            _walk(kid, found, most, depth + 1)
        else:
            found.append(True)
    if gone is not None:  # one of them may have stood for many pages
        stated = node.get("/Count")
        more = int(stated) - (len(found) - before) if isinstance(stated, int) else 0
        found[gone:gone] = [False] * max(0, min(more, most - len(found)))


def _streams(page: Any) -> Iterator[Any]:
    import pikepdf

    content = page.get("/Contents")
    if isinstance(content, pikepdf.Stream):
        yield content
    elif isinstance(content, pikepdf.Array):
        yield from (part for part in content if isinstance(part, pikepdf.Stream))


def _is_whole(stream: Any) -> bool:
    """Whether a stream unpacks to its end."""
    import pikepdf

    try:
        if not _is_deflated(stream):
            stream.read_bytes()
            return True
        raw = stream.read_raw_bytes()
        return not (raw or stream.get("/Length")) or _inflated(raw)[1]
    except (pikepdf.PdfError, ValueError, TypeError, RuntimeError):
        return False


def _is_deflated(stream: Any) -> bool:
    import pikepdf

    filters = stream.get("/Filter")
    if isinstance(filters, pikepdf.Array):
        filters = filters[0] if len(filters) == 1 else None
    return bool(filters == "/FlateDecode")


def _inflated(raw: bytes) -> tuple[int, bool]:
    """How many bytes come out, and whether the end was reached."""
    unpacking = zlib.decompressobj()
    size = 0
    try:
        part = unpacking.decompress(raw, 1 << 20)
        while part:
            size += len(part)
            part = unpacking.decompress(unpacking.unconsumed_tail, 1 << 20)
    except zlib.error:
        return size, False
    return size, unpacking.eof


def _all_present(owner: Any, streams: list[Any], pattern: re.Pattern[bytes], kind: str) -> bool:
    """Whether everything of this kind that the streams name is among the resources."""
    import pikepdf

    names: set[str] = set()
    for stream in streams:
        try:
            names.update(name.decode("latin-1") for name in pattern.findall(stream.read_bytes()))
        except (pikepdf.PdfError, ValueError, TypeError, RuntimeError):
            return False
    if not names:
        return True
    resources = _resources(owner)
    known = resources.get(kind) if isinstance(resources, pikepdf.Dictionary) else None
    present = set(known.keys()) if isinstance(known, pikepdf.Dictionary) else set()
    # A name may be written with escapes; one that is does not count as missing.
    return all("#" in name or f"/{name}" in present for name in names)


def _resources(owner: Any) -> Any:
    """The resources of a page or a form; those of the nodes above, where it has none."""
    for _ in range(20):
        if "/Resources" in owner:
            return owner["/Resources"]
        if "/Parent" not in owner:
            break
        owner = owner["/Parent"]
    return None


def _values(resources: Any, kind: str) -> list[Any]:
    import pikepdf

    found = resources.get(kind) if isinstance(resources, pikepdf.Dictionary) else None
    if not isinstance(found, pikepdf.Dictionary):
        return []
    return [value for value in found.values() if isinstance(value, pikepdf.Stream)]


def _is_whole_picture(picture: Any) -> bool:
    """Whether all rows of a picture are there, for the kinds that can tell."""
    import pikepdf

    try:
        if _is_deflated(picture):
            size, ended = _inflated(picture.read_raw_bytes())
            return ended or size >= _expected(picture)
        if picture.get("/Filter") == "/DCTDecode":
            return ends_well(picture.read_raw_bytes())
    except (pikepdf.PdfError, ValueError, TypeError, RuntimeError, OverflowError):
        return False
    return True


def _expected(picture: Any) -> int:
    """Bytes of all rows."""
    width, height = int(picture["/Width"]), int(picture["/Height"])
    space = picture.get("/ColorSpace")
    name = str(space) if type(space).__name__ == "Name" else ""
    bits = int(picture.get("/BitsPerComponent", 1)) * _COMPONENTS.get(name, 1)
    parameters = picture.get("/DecodeParms")
    predictor = int(parameters.get("/Predictor", 1)) if parameters is not None else 1
    row = math.ceil(width * bits / 8) + (predictor >= _PNG_PREDICTOR)
    return row * height
