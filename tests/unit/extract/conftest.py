"""Documents made on the spot, and a reader that all tests share."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest
from PIL import Image, ImageDraw, ImageFont

from inbox.extract import Reader
from inbox.settings import Settings

LETTER = (
    "Northwind Trading Company",
    "The quarterly invoice is attached below",
    "Total amount due in thirty days",
    "Please transfer the money promptly",
    "Kind regards from the accounting office",
)


def draw(lines: tuple[str, ...] = LETTER, *, size: int = 40, mode: str = "L") -> Image.Image:
    """A picture of print on a white sheet."""
    font = ImageFont.load_default(size)
    picture = Image.new("L", (1300, 160 + 2 * size * len(lines)), 255)
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        pen.text((80, 80 + 2 * size * number), line, font=font, fill=0)
    return picture.convert(mode)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as the bytes of a file."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


class PdfMaker:
    """Builds PDF files page by page."""

    def __init__(self) -> None:
        self._pdf = pikepdf.new()
        self._font = self._pdf.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Font,
                Subtype=pikepdf.Name.Type1,
                BaseFont=pikepdf.Name.Helvetica,
                Encoding=pikepdf.Name.WinAnsiEncoding,
            )
        )

    def page(
        self,
        *lines: str,
        picture: Image.Image | None = None,
        box: tuple[int, int, int, int] = (0, 0, 612, 792),
        rotate: int = 0,
    ) -> PdfMaker:
        """Add a page with lines of text, and a picture stretched over `box`."""
        content = b""
        resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=self._font))
        if picture is not None:
            stream = pikepdf.Stream(self._pdf, picture.convert("L").tobytes())
            stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
            stream.Width, stream.Height = picture.size
            stream.ColorSpace, stream.BitsPerComponent = pikepdf.Name.DeviceGray, 8
            resources.XObject = pikepdf.Dictionary(Im1=stream)
            left, bottom, right, top = box
            content += (
                f"q {right - left} 0 0 {top - bottom} {left} {bottom} cm /Im1 Do Q\n".encode()
            )
        for number, line in enumerate(lines):
            said = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            content += f"BT /F1 12 Tf 60 {740 - 18 * number} Td ({said}) Tj ET\n".encode("cp1252")
        page = pikepdf.Dictionary(
            Type=pikepdf.Name.Page,
            MediaBox=[0, 0, 612, 792],
            Rotate=rotate,
            Resources=resources,
            Contents=pikepdf.Stream(self._pdf, content),
        )
        self._pdf.pages.append(pikepdf.Page(self._pdf.make_indirect(page)))
        return self

    def field(self, value: str) -> PdfMaker:
        """Fill a text field on the last page."""
        widget = pikepdf.Dictionary(
            Type=pikepdf.Name.Annot,
            Subtype=pikepdf.Name.Widget,
            FT=pikepdf.Name.Tx,
            T=pikepdf.String("field"),
            V=pikepdf.String(value),
            Rect=[60, 100, 300, 120],
        )
        widget = self._pdf.make_indirect(widget)
        self._pdf.pages[-1].obj.Annots = pikepdf.Array([widget])
        self._pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([widget]))
        return self

    def bytes(self, **options: object) -> bytes:
        """The finished file."""
        out = io.BytesIO()
        self._pdf.save(out, **options)
        return out.getvalue()


@pytest.fixture
def pdf() -> PdfMaker:
    """An empty PDF."""
    return PdfMaker()


@pytest.fixture
def letter() -> Image.Image:
    """A picture of a letter."""
    return draw()


@pytest.fixture
def drawn() -> object:
    """The function that draws print."""
    return draw


@pytest.fixture
def saved() -> object:
    """The function that encodes a picture."""
    return encoded


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """A reader with the settings as they come."""
    with Reader(Settings(_env_file=None)) as opened:
        yield opened


@pytest.fixture
def put(tmp_path: Path) -> object:
    """A function that writes bytes to a file and gives its path."""

    def write(data: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(data)
        return path

    return write
