"""PDF: the text layer where there is one, OCR page by page where there is not."""

from __future__ import annotations

import io
from typing import Any

from inbox.errors import CorruptFile, EncryptedFile, TooManyPages
from inbox.extract import chars, forms, ocr
from inbox.extract.image import has_ink, read_picture
from inbox.extract.ocr import Reading
from inbox.extract.options import Options
from inbox.extract.pictures import Figure, figures_of, render, said_besides
from inbox.model import Page, PageSource

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


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """Every page, each with where its text came from.

    Raises:
        EncryptedFile: it does not open with the empty password.
        CorruptFile: it does not open.
        TooManyPages: it has more pages than allowed.
        ConfigurationError: a page needs OCR and the engine cannot be loaded.
    """
    import pypdfium2

    sound, values = _gate(data, options.max_pages)
    try:
        document = pypdfium2.PdfDocument(sound)
    except pypdfium2.PdfiumError:
        raise CorruptFile("The PDF does not open.") from None
    with document:
        if values:
            document.init_forms()  # so that rendering draws what was filled in
        reader = _Reader(document, options)
        return tuple(reader.page(index, values.get(index, [])) for index in range(len(document)))


def _gate(data: bytes, max_pages: int) -> tuple[bytes, dict[int, list[str]]]:
    """One library decides whether a PDF is sound, as libraries disagree on odd ones.

    Returns the bytes to read, repaired where that was needed, and the filled-in form fields.
    """
    import pikepdf
    import pypdfium2

    try:
        with pikepdf.open(io.BytesIO(data)) as opened:
            count = len(opened.pages)
            if count > max_pages:
                raise TooManyPages(f"The document has more than {max_pages} pages.")
            values = forms.filled_in(opened)
            sound = data
            try:
                with pypdfium2.PdfDocument(data) as tried:
                    agreed = len(tried) == count
            except pypdfium2.PdfiumError:
                agreed = False
            if not agreed:
                rewritten = io.BytesIO()
                opened.save(rewritten)
                sound = rewritten.getvalue()
    except pikepdf.PasswordError:
        raise EncryptedFile("The PDF is locked with a password.") from None
    except (pikepdf.PdfError, ValueError, RuntimeError, TypeError):
        raise CorruptFile("The PDF is damaged and does not open.") from None
    if not count:
        raise CorruptFile("The PDF has no pages.")
    return sound, values


class _Reader:
    """Reads the pages of one open document."""

    def __init__(self, document: Any, options: Options) -> None:
        self._document = document
        self._options = options
        self._seen: dict[bytes, Reading] = {}  # a letterhead is on every page

    def page(self, index: int, values: list[str]) -> Page:
        """One page, whatever it holds."""
        import pypdfium2

        number = index + 1
        try:
            page = self._document[index]
        except pypdfium2.PdfiumError:
            return Page(number=number, text="", source=PageSource.UNREADABLE)
        try:
            return self._read(page, number, values)
        except pypdfium2.PdfiumError:
            return Page(number=number, text="", source=PageSource.UNREADABLE)
        finally:
            page.close()

    def _read(self, page: Any, number: int, values: list[str]) -> Page:
        raw = _text_layer(page)
        text = chars.clean("\n".join([raw, *forms.missing(values, raw)]))
        count = chars.printable(text)
        figures = figures_of(page)
        cover = min(1.0, sum(figure.cover for figure in figures))
        bad = chars.bad_share(text) > MAX_BAD_SHARE
        if bad or (count < FEW_CHARACTERS and (figures or _has_marks(page))):
            return self._by_ocr(page, number, text)
        if cover > SCAN_COVER and count < SCAN_CHARACTERS:
            return self._by_ocr(page, number, text)
        if not count:
            return Page(number=number, text="", source=PageSource.BLANK)
        if FIGURE_COVER <= cover <= SCAN_COVER:
            return self._with_figures(page, number, text, figures)
        return Page(number=number, text=text, source=PageSource.TEXT_LAYER)

    def _by_ocr(self, page: Any, number: int, text: str) -> Page:
        """OCR of the whole page; the text layer where that sees nothing."""
        picture, dpi = render(page)
        if text or has_ink(picture):
            found = read_picture(number, picture, dpi, ocr.engine(self._options))
        else:
            return Page(number=number, text="", source=PageSource.BLANK)
        if text and chars.printable(found.text) < chars.printable(text) * (
            1 - chars.bad_share(text)
        ):
            return Page(number=number, text=text, source=PageSource.TEXT_LAYER)
        return found

    def _with_figures(self, page: Any, number: int, text: str, figures: list[Figure]) -> Page:
        """The text layer, and what is written inside the pictures on the page."""
        engine = ocr.engine(self._options)
        if engine is None:
            return Page(number=number, text=text, source=PageSource.TEXT_LAYER)
        lines = said_besides(text, page, figures, engine, self._seen)
        if not lines:
            return Page(number=number, text=text, source=PageSource.TEXT_LAYER)
        return Page(
            number=number,
            text=chars.clean("\n".join([text, "", *(line.text for line in lines)])),
            source=PageSource.TEXT_LAYER_AND_OCR,
            engine=engine.name,
            confidence=round(sum(line.confidence for line in lines) / len(lines), 4),
        )


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
