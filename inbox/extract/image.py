"""Pictures: scans, photographs, faxes of many pages."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from inbox.errors import CorruptFile, DecompressionBomb, TooManyPages, TruncatedFile
from inbox.extract import chars, ocr, pixels, sniff
from inbox.extract.ocr import ladder
from inbox.extract.options import Options
from inbox.extract.plan import Batch, Plan, Wanted
from inbox.extract.worded import on_page, placed, with_words
from inbox.model import Page, PageSource

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "HEIF")
# A3 at 600 dpi has 70 million; beyond this, decoding alone takes gigabytes.
MAX_PIXELS = 150_000_000
# Print smaller than this long side is enlarged: Tesseract wants letters 20 to 30 pixels high.
SMALL_SIDE = 2000
LARGE_SIDE = 5000
# The resolution of a photograph is a guess; reduced further, the print of receipts is lost.
LEAST_DPI = 200
# The long side of a sheet of paper in inches, for guessing a resolution nobody stated.
_SHEET_INCHES = 11.7
# Spots darker than their surroundings; fewer than this share of a page is dust.
_INK_SHARE = 0.0002
_INK_CONTRAST = 48
_MAX_CHANNELS = 4
# What the library says of a text inside a picture that unpacks to more than it takes.
_TOO_LARGE = "Decompressed data too large"
_DAMAGED = (OSError, ValueError, SyntaxError, TypeError, IndexError, KeyError, EOFError)


def plan(data: bytes, options: Options) -> Plan:
    """A page per picture in the file, all still to be read.

    Raises:
        CorruptFile: it does not open.
        DecompressionBomb: it claims an absurd size.
        TooManyPages: it has more pictures than pages are allowed.
    """
    with opened(data) as picture:
        count = _count(picture)
    if count > options.max_pages:
        raise TooManyPages(f"The document has more than {options.max_pages} pages.")
    return Plan(
        pages=tuple(
            Page(number=place + 1, text="", source=PageSource.UNREADABLE) for place in range(count)
        ),
        batches=tuple(Batch(pages=(Wanted(place=place, index=place),)) for place in range(count)),
    )


def read_pages(data: bytes, options: Options, batch: Batch) -> Iterator[Page]:
    """The pictures of one batch.

    Raises:
        CorruptFile: a picture does not decode, or is cut short.
        DecompressionBomb: a picture claims an absurd size.
        ConfigurationError: the OCR engine cannot be loaded.
    """
    engine = ocr.engine(options)
    for wanted in batch.pages:
        picture, dpi = picture_at(data, wanted.index)

        def draw(most: int, picture: Image = picture, dpi: int = dpi) -> tuple[Image, int]:
            return reduced(picture, dpi, max(most, LEAST_DPI))

        page = read_picture(wanted.place + 1, draw, engine, options)
        if options.shape == "words":
            size = (picture.width * 72 / dpi, picture.height * 72 / dpi)
            page = placed(page, wanted.index, size)
        yield page


def picture_of(data: bytes, _: Options, batch: Batch) -> Image:
    """The only picture of a batch in gray.

    Raises:
        CorruptFile: it does not decode.
    """
    return picture_at(data, batch.pages[0].index)[0]


def picture_at(data: bytes, index: int) -> tuple[Image, int]:
    """One picture of the file in gray, upright and large enough, with its resolution.

    Raises:
        CorruptFile: it does not decode, or is cut short.
        DecompressionBomb: it claims an absurd size.
    """
    with opened(data) as picture:
        picture.seek(index)
        if not pixels.within(picture, len(data)):
            raise CorruptFile("The picture is cut short.")
        return _prepared(picture)


def reduced(picture: Image, dpi: int, most: int) -> tuple[Image, int]:
    """The picture at no more than so many dots per inch."""
    if dpi <= most:
        return picture, dpi
    size = (max(1, round(picture.width * most / dpi)), max(1, round(picture.height * most / dpi)))
    return picture.resize(size, reducing_gap=2.0), most


def shown_at(data: bytes, index: int) -> Image | None:
    """One picture of the file as a person sees it, upright and in colour; None beyond the last.

    Raises:
        CorruptFile: it does not decode.
        DecompressionBomb: it claims an absurd size.
    """
    with opened(data) as picture:
        if not 0 <= index < _count(picture):
            return None
        picture.seek(index)
        upright = pixels.upright(picture)
        if upright.mode.startswith("I") or upright.mode == "F":
            return _stretched(upright).convert("RGB")
        return on_white(upright).convert("RGB")


def read_picture(
    number: int, draw: ladder.Draw, engine: ocr.Engine | None, options: Options
) -> Page:
    """One page, drawn in gray as fine as its reading wants."""
    if not has_ink(draw(ladder.FIRST_DPI[options.ocr_ladder])[0]):
        return Page(number=number, text="", source=PageSource.BLANK)
    if engine is None:
        return Page(number=number, text="", source=PageSource.UNREADABLE)
    words = options.shape == "words"
    found = ladder.read_page(engine, draw, options.ocr_ladder, words=words)
    text = chars.clean(found.text)
    if not text:
        return Page(number=number, text="", source=PageSource.UNREADABLE, engine=engine.name)
    page = Page(
        number=number,
        text=text,
        source=PageSource.OCR,
        engine=engine.name,
        confidence=round(found.confidence, 4),
    )
    if not words:
        return page
    return with_words(page, on_page(found), found.turn)


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


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[Image]:
    """The file in the library; what that raises becomes one of our errors."""
    import PIL.Image

    if sniff.media_type(data) == sniff.HEIC:
        _know_heif()
    PIL.Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    if pixels.claimed_by_tiff(data) > _MAX_CHANNELS * MAX_PIXELS:
        raise DecompressionBomb("The picture claims more pixels than any real page.")
    with warnings.catch_warnings(), pixels.forgiving(data):
        warnings.simplefilter("ignore")
        # Half of Pillow's limit is only a warning.
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        try:
            with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                yield picture
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
            raise DecompressionBomb("The picture claims more pixels than any real page.") from None
        except _DAMAGED as error:
            if _TOO_LARGE in str(error):
                raise DecompressionBomb("A part of the picture is built to swell.") from None
            if pixels.is_cut_short(data):
                raise TruncatedFile("The picture is cut short.") from None
            raise CorruptFile("The picture does not decode.") from None


@functools.cache
def _know_heif() -> None:
    """Teach the library the format of telephones."""
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1
    pi_heif.register_heif_opener()


def _count(opened: Image) -> int:
    """How many pages: the frames of an animation are none."""
    return int(getattr(opened, "n_frames", 1)) if opened.format == "TIFF" else 1


def _prepared(opened: Image) -> tuple[Image, int]:
    dpi = _stated_dpi(opened)
    gray = flattened(pixels.upright(opened))
    if dpi is None:
        dpi = max(70, min(400, round(max(gray.size) / _SHEET_INCHES)))
    return resized(gray, dpi)


def flattened(picture: Image) -> Image:
    """The picture in gray, on white where it was transparent."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return _stretched(picture)
    if picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info:
        picture = on_white(picture)
    return picture.convert("L")


def on_white(picture: Image) -> Image:
    """The picture in colours, with white where it was transparent."""
    import PIL.Image

    colour = picture.convert("RGBA")
    paper = PIL.Image.new("RGBA", colour.size, "white")
    paper.alpha_composite(colour)
    return paper.convert("RGB")


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
