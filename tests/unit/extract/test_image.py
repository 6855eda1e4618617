"""Pictures and OCR."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from in_process import read
from PIL import Image

from inbox.errors import ConfigurationError, CorruptFile, DecompressionBomb, TooManyPages
from inbox.extract import image, ocr
from inbox.extract.ocr import USUAL, Line, Reading, Way, ladder, program
from inbox.extract.options import Options
from inbox.model import PageSource

OPTIONS = Options()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_every_format_is_read(letter: Image.Image, saved: Callable[..., bytes], kind: str) -> None:
    """Print in each picture format comes out as text, marked as OCR."""
    (page,) = read(saved(letter, kind), OPTIONS)
    assert "Northwind Trading Company" in page.text
    assert page.source is PageSource.OCR
    assert page.engine == "tesserocr"
    assert page.confidence > 0.8


def test_every_page_of_a_fax_is_read(drawn: Callable[..., Image.Image]) -> None:
    """A TIFF of three pictures is three pages."""
    words = ("the first page of the fax", "the second page of the fax", "the third page of the fax")
    first, *others = (drawn((line, line)) for line in words)
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=others)
    pages = read(out.getvalue(), OPTIONS)
    assert [line in page.text for line, page in zip(words, pages, strict=True)] == [True] * 3
    with pytest.raises(TooManyPages):
        read(out.getvalue(), Options(max_pages=2))


def test_transparent_paper_is_white(letter: Image.Image, saved: Callable[..., bytes]) -> None:
    """Black print on nothing is read, not black on black."""
    picture = Image.new("RGBA", letter.size, (0, 0, 0, 0))
    picture.putalpha(letter.point(lambda level: 255 - level))
    (page,) = read(saved(picture, "PNG"), OPTIONS)
    assert "Northwind Trading Company" in page.text


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGB", "CMYK", "I;16"])
def test_every_colour_mode_is_read(
    letter: Image.Image, saved: Callable[..., bytes], mode: str
) -> None:
    """The way colours are stored does not matter."""
    if mode == "I;16":
        picture = Image.frombytes(
            "I;16", letter.size, b"".join(struct.pack("<H", v * 256) for v in letter.tobytes())
        )
    else:
        picture = letter.convert(mode)
    (page,) = read(saved(picture, "TIFF"), OPTIONS)
    assert "Northwind Trading Company" in page.text


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_pictures_are_read(
    letter: Image.Image, saved: Callable[..., bytes], turn: int
) -> None:
    """A page photographed sideways or upside down is read."""
    (page,) = read(saved(letter.rotate(turn, expand=True), "PNG"), OPTIONS)
    assert "Northwind Trading Company" in page.text


def test_the_camera_says_which_way_is_up(letter: Image.Image, saved: Callable[..., bytes]) -> None:
    """The orientation that a camera notes is followed."""
    exif = Image.Exif()
    exif[0x0112] = 6
    (page,) = read(saved(letter.rotate(90, expand=True), "JPEG", exif=exif), OPTIONS)
    assert "Northwind Trading Company" in page.text


def test_small_print_is_enlarged(
    drawn: Callable[..., Image.Image], saved: Callable[..., bytes]
) -> None:
    """A small picture of a page is read."""
    small = drawn(size=40)
    small = small.resize((small.width // 3, small.height // 3), Image.Resampling.LANCZOS)
    (page,) = read(saved(small, "PNG"), OPTIONS)
    assert "Northwind Trading Company" in page.text


def test_resolution_is_not_made_up(letter: Image.Image, saved: Callable[..., bytes]) -> None:
    """A stated resolution is used where it can be true; 72 dpi of a camera is not."""
    _, dpi = image.picture_at(saved(letter, "PNG", dpi=(150, 150)), 0)
    assert dpi == 300  # doubled with the picture
    _, dpi = image.picture_at(saved(letter, "PNG", dpi=(72, 72)), 0)
    assert dpi == 2 * round(1300 / 11.7)


def test_a_shadow_does_not_swallow_the_print(
    letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """Print in the shade of a photograph is read as well as print in the light."""
    shade = Image.linear_gradient("L").rotate(90).resize(letter.size)
    shaded = Image.composite(
        letter, Image.new("L", letter.size, 0), shade.point(lambda v: 40 + v * 3 // 4)
    )
    (page,) = read(saved(shaded, "PNG"), OPTIONS)
    for word in ("Northwind", "Company", "attached", "thirty", "promptly"):
        assert word in page.text


def test_empty_paper_and_blots_differ(
    drawn: Callable[..., Image.Image], saved: Callable[..., bytes]
) -> None:
    """White paper is blank; marks that are no print are unreadable."""
    paper = drawn(())
    assert read(saved(paper, "PNG"), OPTIONS)[0].source is PageSource.BLANK
    paper.paste(0, (300, 20, 900, 140))
    assert read(saved(paper, "PNG"), OPTIONS)[0].source is PageSource.UNREADABLE


def test_without_an_engine_print_is_unreadable(
    letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """With OCR off a picture is not an empty success."""
    (page,) = read(saved(letter, "PNG"), Options(ocr_engine="none"))
    assert page.source is PageSource.UNREADABLE


def test_a_picture_cut_short_is_corrupt(letter: Image.Image, saved: Callable[..., bytes]) -> None:
    """Half a picture is corrupt."""
    data = saved(letter, "JPEG")
    with pytest.raises(CorruptFile):
        read(data[: len(data) // 2], OPTIONS)


def test_absurd_sizes_are_refused() -> None:
    """A few bytes that claim a gigapixel are refused without decoding."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"x"))
    with pytest.raises(DecompressionBomb, match="pixels"):
        read(data + chunk(b"IEND", b""), OPTIONS)


def test_formats_outside_the_list_are_refused(
    letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """A format that nobody allowed is not decoded, though the library could."""
    with pytest.raises(CorruptFile):
        image.plan(saved(letter, "PPM"), OPTIONS)


def test_noise_is_worth_less_than_words() -> None:
    """Between two readings, the one with words wins over the one with specks."""
    specks = Reading("", 0.5, 9, tuple(Line("a, i: 'o _ x e", 0.6) for _ in range(9)))
    words = Reading("", 0.5, 2, (Line("Passport number", 0.5),))
    assert ladder._better(specks, words) is words
    assert ladder._better(words, specks) is words


def test_a_heap_of_noise_is_worth_less_than_a_page_of_words() -> None:
    """Ten times as many letters, which the engine hardly trusts, do not outweigh what it read."""
    heap = Reading("", 0.15, 900, tuple(Line("aaah Oca spn oar nanevat", 0.15) for _ in range(300)))
    words = Reading("", 0.97, 60, tuple(Line("Account number NL44", 0.97) for _ in range(20)))
    assert ladder._better(words, heap) is words
    assert ladder._better(heap, words) is words


def test_the_program_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that needs a program says so where there is none."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match="INBOX_OCR_ENGINE"):
        ocr.engine(Options(ocr_engine="pytesseract"))


def test_words_of_the_program_become_lines() -> None:
    """The program's table of words is put together to lines and paragraphs."""
    rows = [
        (1, 1, 1, 90.0, "Dear"), (1, 1, 1, 70.0, "Sir"), (1, 1, 2, 80.0, "thanks"),
        (1, 1, 2, -1.0, " "), (1, 2, 1, 60.0, "Bye"),
    ]  # fmt: skip
    keys = ("block_num", "par_num", "line_num", "conf", "text")
    reading = program._reading(dict(zip(keys, zip(*rows, strict=True), strict=True)))
    assert reading.text == "Dear Sir\nthanks\n\nBye\n"
    assert reading.words == 4
    assert reading.confidence == pytest.approx(0.75)
    assert reading.lines[0] == Line("Dear Sir", 0.8)


def test_an_unknown_engine_is_a_configuration_error() -> None:
    """An engine nobody wrote is refused by name."""
    with pytest.raises(ConfigurationError, match="magic"):
        ocr.engine(Options(ocr_engine="magic"))


def test_a_tiff_that_claims_gigabytes_is_a_bomb() -> None:
    """A header of a few bytes that asks for gigabytes is refused before anything is allocated."""
    tags = [(256, 4, 10), (257, 4, 8), (258, 3, 16), (277, 4, 0x12120092)]
    data = b"II*\x00" + struct.pack("<IH", 8, len(tags))
    data += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    with pytest.raises(DecompressionBomb):
        read(data + bytes(4), OPTIONS)


def test_a_text_in_a_picture_that_swells_is_a_bomb(
    letter: Image.Image, saved: Callable[..., bytes]
) -> None:
    """Megabytes packed into a remark inside a PNG are not unpacked."""
    said = b"zTXt" + b"note\0\0" + zlib.compress(bytes(8_000_000))
    chunk = struct.pack(">I", len(said) - 4) + said + struct.pack(">I", zlib.crc32(said))
    whole = saved(letter, "PNG")
    with pytest.raises(DecompressionBomb):
        read(whole[:33] + chunk + whole[33:], OPTIONS)


class Counting:
    """A double that counts: every reading is fair, and none is good."""

    name = "counting"

    def __init__(self) -> None:
        self.tries = 0

    def read(self, picture: Image.Image, dpi: int, way: Way = USUAL) -> Reading:
        """Some words, of middling confidence."""
        self.tries += 1
        return Reading("five words of fair print", 0.8, 5, (Line("five words of fair print", 0.8),))

    def rotation(self, picture: Image.Image, dpi: int) -> int | None:
        """Upright."""
        return 0


def test_a_thrifty_reader_is_content_with_a_fair_reading(letter: Image.Image) -> None:
    """What a second try could better is left where time matters more."""
    thrifty, thorough = Counting(), Counting()
    ladder.read_page(thrifty, lambda most: (letter, most), "fast")
    ladder.read_page(thorough, lambda most: (letter, most), "thorough")
    assert thrifty.tries == 1
    assert thorough.tries > 1


class Columnless(Counting):
    """A double that reads a receipt only where it looks for no layout."""

    def read(self, picture: Image.Image, dpi: int, way: Way = USUAL) -> Reading:
        """Prices with what they are for, or without."""
        said = "Coffee twice 2.50 together 5.00" if way.block else "Coffee 2.50"
        return Reading(said, 0.8, len(said.split()), (Line(said, 0.8),))


@pytest.mark.parametrize(("depth", "whole"), [("balanced", False), ("thorough", True)])
def test_a_receipt_is_read_line_by_line_in_the_end(
    letter: Image.Image, depth: ladder.Depth, whole: bool
) -> None:
    """Where a layout is seen that is none, the highest ladder reads without one."""
    found = ladder.read_page(Columnless(), lambda most: (letter, most), depth)
    assert ("together" in found.text) is whole
