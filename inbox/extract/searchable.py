"""A PDF whose scanned pages can be searched: their words, invisible, where they stand.

The words are drawn with a font of empty glyphs (PDF 32000-1, 9.6.5 Type 3 fonts; 9.10.3 ToUnicode),
so nothing is embedded and every letter of every script can be found.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from inbox.errors import CorruptFile
from inbox.extract import gate, image, pixels, sniff
from inbox.extract.ocr import Word
from inbox.extract.options import Options
from inbox.extract.worded import WordedPage
from inbox.model import PageSource

if TYPE_CHECKING:
    from PIL.Image import Image

Point = tuple[float, float]
# From a share of the page's width and height, from its upper left corner, to its own units.
Place = Callable[[float, float], Point]

_SCANNED = {PageSource.OCR, PageSource.TEXT_LAYER_AND_OCR}
_GLYPHS = 255
# Of an empty glyph, in thousandths of its height.
_WIDTH = 500
# Where a word begins and ends on its baseline, and where its top is, by how the page is turned:
# corners of its box as indices of left, top, right, bottom.
_CORNERS = {
    0: ((0, 3), (2, 3), (0, 1)),
    90: ((0, 1), (0, 3), (2, 1)),
    180: ((2, 1), (0, 1), (2, 3)),
    270: ((2, 3), (2, 1), (0, 3)),
}
_GRAIN = 1_000_000
# Of a picture that could not be read, and so has no size.
_USUAL_DPI = 200


def made(data: bytes, pages: Sequence[WordedPage], options: Options) -> str:
    """The searchable PDF of a PDF or a picture, in base 64.

    Args:
        data: the bytes of the file.
        pages: what was read.
        options: those of its reading.

    Raises:
        CorruptFile: the file cannot be rewritten.
        EncryptedFile: it does not open.
    """
    import pikepdf

    try:
        if sniff.media_type(data) == sniff.PDF:
            return _of_pdf(data, pages, options)
        return _of_pictures(data, pages)
    except (pikepdf.PdfError, ValueError, TypeError, KeyError, RuntimeError):
        raise CorruptFile("The document cannot be written anew.") from None


def _of_pdf(data: bytes, pages: Sequence[WordedPage], options: Options) -> str:
    found = gate.passed(data, options.max_pages, options.passwords)
    with found.opened as opened, gate.drawable(found.sound, options.passwords) as drawn:
        ink = _Ink(opened)
        for page in pages:
            if page.source in _SCANNED and page.words:
                shown = drawn[page.index]
                ink.write(opened.pages[page.index], page, _place_of(shown))
                shown.close()
        return _saved(opened)


def _place_of(page: Any) -> Place:
    import ctypes

    import pypdfium2.raw as pdfium

    px, py = ctypes.c_double(), ctypes.c_double()

    def place(x: float, y: float) -> Point:
        across, down = round(x * _GRAIN), round(y * _GRAIN)
        pdfium.FPDF_DeviceToPage(page, 0, 0, _GRAIN, _GRAIN, 0, across, down, px, py)
        return px.value, py.value

    return place


def _of_pictures(data: bytes, pages: Sequence[WordedPage]) -> str:
    import pikepdf

    with pikepdf.new() as opened:
        ink = _Ink(opened)
        for page in pages:
            drawn = _picture(opened, data, page.index)
            wide = page.width or int(drawn.Width) * 72 / _USUAL_DPI
            high = page.height or int(drawn.Height) * 72 / _USUAL_DPI
            resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=drawn))
            content = f"q {wide:.2f} 0 0 {high:.2f} 0 0 cm /Im0 Do Q".encode()
            dictionary = pikepdf.Dictionary(
                Type=pikepdf.Name.Page,
                MediaBox=[0, 0, wide, high],
                Resources=resources,
                Contents=pikepdf.Stream(opened, content),
            )
            opened.pages.append(pikepdf.Page(opened.make_indirect(dictionary)))
            if page.source in _SCANNED:
                ink.write(opened.pages[-1], page, _place_on(wide, high))
        return _saved(opened)


def _place_on(wide: float, high: float) -> Place:
    def place(x: float, y: float) -> Point:
        return x * wide, (1 - y) * high

    return place


def _picture(opened: Any, data: bytes, index: int) -> Any:
    """The picture as it is where PDF knows its packing, else its pixels."""
    import pikepdf

    with image.opened(data) as picture:
        picture.seek(index)
        whole = pixels.upright(picture)
        keep = whole is picture and picture.format == "JPEG" and picture.mode in {"L", "RGB"}
        stream = pikepdf.Stream(opened, data) if keep else _pixels(opened, whole)
        stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
        stream.Width, stream.Height = whole.size
        if keep:
            stream.Filter = pikepdf.Name.DCTDecode
            gray = picture.mode == "L"
            stream.ColorSpace = pikepdf.Name.DeviceGray if gray else pikepdf.Name.DeviceRGB
            stream.BitsPerComponent = 8
    return stream


def _pixels(opened: Any, picture: Image) -> Any:
    import pikepdf

    bits = 1 if picture.mode == "1" else 8
    if picture.mode in {"RGB", "P", "YCbCr", "CMYK"} and "transparency" not in picture.info:
        picture = picture.convert("RGB")
    elif picture.mode == "RGBA" or (picture.mode == "P" and "transparency" in picture.info):
        picture = image.on_white(picture)
    elif picture.mode not in {"1", "L"}:
        picture = image.flattened(picture)
    stream = pikepdf.Stream(opened, picture.tobytes())
    gray = picture.mode in {"1", "L"}
    stream.ColorSpace = pikepdf.Name.DeviceGray if gray else pikepdf.Name.DeviceRGB
    stream.BitsPerComponent = bits
    return stream


class _Ink:
    """Writes invisible words into the pages of one document."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        self._codes: dict[str, tuple[int, int]] = {}
        self._fonts: list[Any] = []

    def write(self, page: Any, read: WordedPage, place: Place) -> None:
        """Put the words of a page on it.

        Args:
            page: the page of pikepdf.
            read: its words; those of its own text layer are on it already.
            place: from shares of the page to its units.
        """
        import pikepdf

        lines, used = [b"Q q BT 3 Tr"], set()
        for word in read.words[read.from_layer :]:
            matrix = _matrix(word, read.turn, place)
            if matrix is None:
                continue
            lines.append(b"%s Tm" % " ".join(f"{value:.4f}" for value in matrix).encode())
            for font, codes in self._runs(word.text + " "):
                used.add(font)
                lines.append(b"/InboxF%d 1 Tf <%s> Tj" % (font, codes.hex().encode()))
        lines.append(b"ET Q")
        page.contents_add(b"q\n", prepend=True)
        page.contents_add(b"\n".join(lines))
        for font in used:
            page.add_resource(self._fonts[font], pikepdf.Name.Font, pikepdf.Name(f"/InboxF{font}"))

    def _runs(self, text: str) -> Iterable[tuple[int, bytes]]:
        """The text in pieces of one font each."""
        runs: list[tuple[int, bytearray]] = []
        for char in text:
            font, code = self._code(char)
            if not runs or runs[-1][0] != font:
                runs.append((font, bytearray()))
            runs[-1][1].append(code)
        return [(font, bytes(codes)) for font, codes in runs]

    def _code(self, char: str) -> tuple[int, int]:
        if char not in self._codes:
            font, code = divmod(len(self._codes), _GLYPHS)
            if code == 0:
                self._fonts.append(self._opened.make_indirect(self._empty_font()))
            self._codes[char] = (font, code)
            self._name(self._fonts[font], char, code)
        return self._codes[char]

    def _empty_font(self) -> Any:
        import pikepdf

        glyph = pikepdf.Stream(self._opened, b"%d 0 0 0 %d 1000 d1" % (_WIDTH, _WIDTH))
        names = [pikepdf.Name(f"/g{code}") for code in range(_GLYPHS)]
        return pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.Type3,
            FontBBox=[0, 0, _WIDTH, 1000],
            FontMatrix=[0.001, 0, 0, 0.001, 0, 0],
            CharProcs=pikepdf.Dictionary({str(name): glyph for name in names}),
            Encoding=pikepdf.Dictionary(Type=pikepdf.Name.Encoding, Differences=[0, *names]),
            FirstChar=0,
            LastChar=_GLYPHS - 1,
            Widths=[_WIDTH] * _GLYPHS,
            Resources=pikepdf.Dictionary(),
            ToUnicode=pikepdf.Stream(self._opened, _MAP_HEAD + _MAP_TAIL),
        )

    @staticmethod
    def _name(font: Any, char: str, code: int) -> None:
        said = font.ToUnicode.read_bytes().removesuffix(_MAP_TAIL)
        line = f"1 beginbfchar\n<{code:02x}> <{char.encode('utf-16-be').hex()}>\nendbfchar\n"
        font.ToUnicode.write(said + line.encode() + _MAP_TAIL)


_MAP_HEAD = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /Inbox-Words def
/CMapType 2 def
1 begincodespacerange
<00> <ff>
endcodespacerange
"""
_MAP_TAIL = b"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"


def _matrix(word: Word, turn: int, place: Place) -> tuple[float, ...] | None:
    """Stretches glyphs of height 1 over the word; None where it has no extent."""
    start, end, top = (place(word.box[x], word.box[y]) for x, y in _CORNERS.get(turn, _CORNERS[0]))
    along = (end[0] - start[0], end[1] - start[1])
    up = (top[0] - start[0], top[1] - start[1])
    letters = len(word.text) * _WIDTH / 1000
    if not letters or math.hypot(*along) == 0 or math.hypot(*up) == 0:
        return None
    return along[0] / letters, along[1] / letters, up[0], up[1], start[0], start[1]


def _saved(opened: Any) -> str:
    out = io.BytesIO()
    opened.save(out, encryption=False)
    return base64.b64encode(out.getbuffer()).decode()
