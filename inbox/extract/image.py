"""Pictures: scans, photographs, faxes of many pages."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inbox.errors import CorruptFile, TooManyPages
from inbox.extract import chars, ocr
from inbox.extract.ocr import ladder
from inbox.extract.options import Options
from inbox.model import Page, PageSource

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
# A3 at 600 dpi has 70 million; beyond this, decoding alone takes gigabytes.
MAX_PIXELS = 150_000_000
# Print smaller than this long side is enlarged: Tesseract wants letters 20 to 30 pixels high.
SMALL_SIDE = 2000
LARGE_SIDE = 5000
# The long side of a sheet of paper in inches, for guessing a resolution nobody stated.
_SHEET_INCHES = 11.7
# Spots darker than their surroundings; fewer than this share of a page is dust.
_INK_SHARE = 0.0002
_INK_CONTRAST = 48


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """A page per picture in the file.

    Raises:
        CorruptFile: it does not decode, or claims an absurd size.
        TooManyPages: it has more pictures than pages are allowed.
        ConfigurationError: the OCR engine cannot be loaded.
    """
    engine = ocr.engine(options)
    return tuple(
        read_picture(number, picture, dpi, engine)
        for number, (picture, dpi) in enumerate(_pictures(data, options.max_pages), 1)
    )


def read_picture(number: int, picture: Image, dpi: int, engine: ocr.Engine | None) -> Page:
    """One page from a gray picture."""
    if not has_ink(picture):
        return Page(number=number, text="", source=PageSource.BLANK)
    if engine is None:
        return Page(number=number, text="", source=PageSource.UNREADABLE)
    found = ladder.read_page(engine, picture, dpi)
    text = chars.clean(found.text)
    if not text:
        return Page(number=number, text="", source=PageSource.UNREADABLE, engine=engine.name)
    return Page(
        number=number,
        text=text,
        source=PageSource.OCR,
        engine=engine.name,
        confidence=round(found.confidence, 4),
    )


def has_ink(picture: Image) -> bool:
    """Whether anything is on a gray page besides paper and dust."""
    small = picture.reduce(max(1, max(picture.size) // 1000))
    histogram = small.histogram()
    total = sum(histogram)
    paper = max(range(256), key=lambda level: histogram[level])
    # On dark paper the writing is lighter.
    marks = sum(
        count for level, count in enumerate(histogram) if abs(level - paper) > _INK_CONTRAST
    )
    return marks > _INK_SHARE * total


def _pictures(data: bytes, max_pages: int) -> Iterator[tuple[Image, int]]:
    """Each picture of the file in gray, upright and large enough, with its resolution."""
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Half of Pillow's limit is only a warning.
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        try:
            with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                # Frames of an animation are no pages.
                count = getattr(opened, "n_frames", 1) if opened.format == "TIFF" else 1
                if count > max_pages:
                    raise TooManyPages(f"The document has more than {max_pages} pages.")
                for index in range(count):
                    opened.seek(index)
                    yield _prepared(opened)
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
            raise CorruptFile("The picture claims more pixels than any real page.") from None
        except (OSError, ValueError, SyntaxError, TypeError, IndexError, KeyError, EOFError):
            raise CorruptFile("The picture does not decode.") from None


def _prepared(opened: Image) -> tuple[Image, int]:
    import PIL.ImageOps

    dpi = _stated_dpi(opened)
    # A damaged orientation tag must not cost the picture.
    try:
        upright = PIL.ImageOps.exif_transpose(opened)
    except (ValueError, TypeError, KeyError, SyntaxError, OSError):
        upright = opened.copy()
    gray = flattened(upright)
    if dpi is None:
        dpi = max(70, min(400, round(max(gray.size) / _SHEET_INCHES)))
    return resized(gray, dpi)


def flattened(picture: Image) -> Image:
    """The picture in gray, on white where it was transparent."""
    import PIL.Image

    if picture.mode.startswith("I") or picture.mode == "F":
        return _stretched(picture)
    if picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info:
        colour = picture.convert("RGBA")
        paper = PIL.Image.new("RGBA", colour.size, "white")
        paper.alpha_composite(colour)
        picture = paper
    return picture.convert("L")


def _stretched(picture: Image) -> Image:
    """More than 8 bits a pixel: the range that is used, brought to 0 to 255."""
    import PIL.Image

    wide = picture.convert("F")
    low, high = wide.getextrema()
    scale = 255 / ((high - low) or 1)  # type: ignore[operator]
    stretched: PIL.Image.Image = wide.point(lambda level: level * scale - low * scale)  # type: ignore[operator]
    return stretched.convert("L")


def resized(gray: Image, dpi: int) -> tuple[Image, int]:
    """Small print doubled, enormous pages reduced; the resolution goes along."""
    import PIL.Image

    side = max(gray.size)
    if side < SMALL_SIDE:
        size = (gray.width * 2, gray.height * 2)
        return gray.resize(size, PIL.Image.Resampling.BICUBIC), dpi * 2
    if side > LARGE_SIDE:
        factor = LARGE_SIDE / side
        size = (max(1, round(gray.width * factor)), max(1, round(gray.height * factor)))
        return gray.resize(size, PIL.Image.Resampling.LANCZOS), max(70, round(dpi * factor))
    return gray, dpi


def _stated_dpi(opened: Image) -> int | None:
    """The resolution in the file's header, where it can be true."""
    try:
        stated = float(opened.info.get("dpi", (0, 0))[0])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    inches = max(opened.size) / stated if stated > 0 else 0
    # Cameras and programs write 72 or 96 into pictures of any size.
    return round(stated) if 120 <= stated <= 1200 and 2 <= inches <= 40 else None  # noqa: PLR2004
