"""PDF: the text layer where there is one, OCR page by page where there is not."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from inbox.errors import CorruptFile
from inbox.extract import chars, forms, gate, ocr
from inbox.extract.containers import portfolio
from inbox.extract.damage import Damage
from inbox.extract.image import has_ink, read_picture
from inbox.extract.ocr import Reading, Way, ladder
from inbox.extract.options import Options
from inbox.extract.pictures import Figure, all_drawn, figures_of, render, said_besides
from inbox.extract.plan import Batch, Plan, Wanted
from inbox.extract.worded import WordedPage, of_layer, placed, with_words
from inbox.model import Page, PageSource

if TYPE_CHECKING:
    from PIL.Image import Image

# When a page is read by OCR. Deciding per document loses the scanned pages of mixed files.
#
# A page of so few characters is a stamp or a page number over a picture of text.
FEW_CHARACTERS = 30
# Fonts without a character map give letters of a private alphabet.
MAX_BAD_SHARE = 0.10
# A scan fills its sheet; a scanner's own text layer says more than this on any written page.
SCAN_COVER = 0.5
SCAN_CHARACTERS = 100
# Smaller pictures are logos and rules.
FIGURE_COVER = 0.02
# Pages of text with pictures go together, as a letterhead on all of them is read once.
_TOGETHER = 8
_MANY = 64


class _Look(NamedTuple):
    """What a page shows before any OCR."""

    text: str
    whole: bool  # the page is read by OCR as a whole
    figures: tuple[Figure, ...]  # pictures to be read besides the text


def plan(data: bytes, options: Options) -> Plan:
    """What the text layers say, and which pages want OCR.

    Raises:
        EncryptedFile: it does not open with the empty password.
        CorruptFile: it does not open.
        TooManyPages: it has more pages than allowed.
    """
    found = gate.passed(data, options.max_pages, options.passwords)
    inside, case = portfolio.inside(found.opened) if options.unpack else (0, False)
    if case:
        found.opened.close()
        return Plan(pages=(), inside=inside, container=True)
    pages = [_unread(place) for place in range(found.total)]
    scans: list[Wanted] = []
    mixed: list[Wanted] = []
    plain: list[Wanted] = []
    lost = found.total > len(found.places)
    with found.opened, _document(found.sound, options, forms=False) as document:
        for index, place in enumerate(found.places):
            values = found.values.get(index, [])
            look = _look_at(document, index, values)
            if look is None:
                lost = True
                continue
            lacks = _has_lost(found.damage, index, look)
            lost |= lacks
            wanted = Wanted(place=place, index=index, values=tuple(values))
            if lacks or look.whole:
                pages[place] = _unread(place, look.text)
            elif look.figures and options.ocr_engine != "none":
                pages[place] = _unread(place, look.text)
                mixed.append(wanted)
            else:
                source = PageSource.TEXT_LAYER if look.text else PageSource.BLANK
                pages[place] = Page(number=place + 1, text=look.text, source=source)
                if options.shape == "words":
                    plain.append(wanted)
            if look.whole and not lacks:
                scans.append(wanted)
    groups: list[tuple[Wanted, ...]] = [(one,) for one in scans]
    for many, most in ((mixed, _TOGETHER), (plain, _MANY)):
        groups += [tuple(many[i : i + most]) for i in range(0, len(many), most)]
    filled = bool(found.values)
    return Plan(
        pages=tuple(pages),
        batches=tuple(Batch(pages=g, repaired=found.mended, forms=filled) for g in groups),
        lost=lost,
        inside=inside,
    )


def read_pages(data: bytes, options: Options, batch: Batch) -> Iterator[Page]:
    """The pages of one batch, each with where its text came from.

    Raises:
        CorruptFile: what is on a page cannot be drawn.
        ConfigurationError: the engine cannot be loaded.
    """
    sound = gate.mended(data, options.passwords) if batch.repaired else data
    seen: dict[bytes, Reading] = {}
    with _document(sound, options, forms=batch.forms) as document:
        for wanted in batch.pages:
            look = _look_at(document, wanted.index, wanted.values)
            if look is None:
                raise CorruptFile("The page does not open.")
            page = document[wanted.index]
            try:
                number = wanted.place + 1
                if look.whole:
                    read = _by_ocr(page, number, look.text, options)
                else:
                    read = _with_figures(page, number, look, options, seen)
                yield read if options.shape != "words" else _worded(page, read, wanted.index)
            finally:
                page.close()


def picture_of(data: bytes, options: Options, batch: Batch) -> Image:
    """The only page of a batch in gray.

    Raises:
        CorruptFile: it cannot be drawn.
    """
    sound = gate.mended(data, options.passwords) if batch.repaired else data
    with _document(sound, options, forms=batch.forms) as document:
        return render(document[batch.pages[0].index])[0]


@contextmanager
def _document(data: bytes, options: Options, *, forms: bool) -> Iterator[Any]:
    import pypdfium2

    try:
        document = gate.drawable(data, options.passwords)
    except pypdfium2.PdfiumError:
        raise CorruptFile("The PDF does not open.") from None
    with document:
        if forms:
            document.init_forms()  # so that rendering draws what was filled in
        try:
            yield document
        except pypdfium2.PdfiumError:
            raise CorruptFile("A page of the PDF cannot be drawn.") from None


def _unread(place: int, text: str = "") -> Page:
    return Page(number=place + 1, text=text, source=PageSource.UNREADABLE)


def _look_at(document: Any, index: int, values: Sequence[str]) -> _Look | None:
    """What a page shows; None if it does not open."""
    import pypdfium2

    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return None
    try:
        return _look(page, values)
    except pypdfium2.PdfiumError:
        return None
    finally:
        page.close()


def _look(page: Any, values: Sequence[str]) -> _Look:
    raw = _text_layer(page)
    text = chars.clean("\n".join([raw, *forms.missing(list(values), raw)]))
    count = chars.printable(text)
    figures = tuple(figures_of(page))
    cover = min(1.0, sum(figure.cover for figure in figures))
    whole = (
        chars.bad_share(text) > MAX_BAD_SHARE
        or (count < FEW_CHARACTERS and (bool(figures) or _has_marks(page)))
        or (cover > SCAN_COVER and count < SCAN_CHARACTERS)
    )
    besides = count and FIGURE_COVER <= cover <= SCAN_COVER
    return _Look(text if count else "", whole, figures if besides else ())


def _has_lost(damage: Damage, index: int, look: _Look) -> bool:
    """Whether what was on the page cannot be read because it is gone."""
    if damage.lost_content(index):
        return True
    # On a page of text, a picture that is missing costs little.
    few = chars.printable(look.text) < SCAN_CHARACTERS or damage.repaired
    return few and damage.lost_pictures(index)


def _by_ocr(page: Any, number: int, text: str, options: Options) -> Page:
    """OCR of the whole page; the text layer where that sees nothing."""

    @functools.lru_cache(maxsize=1)
    def draw(most: int) -> tuple[Image, int]:
        return render(page, most)

    if not text and not has_ink(draw(ladder.FIRST_DPI[options.ocr_ladder])[0]):
        if not all_drawn(page):
            raise CorruptFile("A picture on the page does not decode.")
        return Page(number=number, text="", source=PageSource.BLANK)
    found = read_picture(number, draw, ocr.engine(options), options)
    if text and chars.printable(found.text) < chars.printable(text) * (1 - chars.bad_share(text)):
        return Page(number=number, text=text, source=PageSource.TEXT_LAYER)
    return found


def _with_figures(
    page: Any, number: int, look: _Look, options: Options, seen: dict[bytes, Reading]
) -> Page:
    """The text layer, and what is written inside the pictures on the page."""
    engine = ocr.engine(options) if look.figures else None
    way = Way(words=options.shape == "words")
    lines = said_besides(look.text, page, look.figures, engine, seen, way=way) if engine else []
    if engine is None or not lines:
        source = PageSource.TEXT_LAYER if look.text else PageSource.BLANK
        return Page(number=number, text=look.text, source=source)
    read = Page(
        number=number,
        text=chars.clean("\n".join([look.text, "", *(line.text for line in lines)])),
        source=PageSource.TEXT_LAYER_AND_OCR,
        engine=engine.name,
        confidence=round(sum(line.confidence for line in lines) / len(lines), 4),
    )
    return with_words(read, (word for line in lines for word in line.words)) if way.words else read


def _worded(page: Any, read: Page, index: int) -> WordedPage:
    """The page with its size and, as far as its text comes from the text layer, those words."""
    shown = placed(read, index, page.get_size())
    if read.source not in {PageSource.TEXT_LAYER, PageSource.TEXT_LAYER_AND_OCR}:
        return shown
    layer = of_layer(page)
    changed = {"words": (*layer, *shown.words), "from_layer": len(layer)}
    return shown.model_copy(update=changed)


def _text_layer(page: Any) -> str:
    layer = page.get_textpage()
    try:
        text: str = layer.get_text_range()
    finally:
        layer.close()
    # The library marks a word that is cut at the end of a line so.
    return text.replace("\ufffe\r\n", "").replace("\ufffe", "").replace("\x02", "")


def _has_marks(page: Any) -> bool:
    """Whether anything besides text is drawn."""
    import pypdfium2.raw as pdfium

    if pdfium.FPDFPage_GetAnnotCount(page) > 0:
        return True
    return any(drawn.type != pdfium.FPDF_PAGEOBJ_TEXT for drawn in page.get_objects(max_depth=4))
