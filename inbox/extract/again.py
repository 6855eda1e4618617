"""Pages that the first engine found hard, read by the second."""

from __future__ import annotations

from inbox.extract import chars
from inbox.extract.ocr import Line, Reading, rapid
from inbox.extract.options import Options
from inbox.extract.worded import WordedPage, on_page
from inbox.model import Page, PageSource

# Mean word confidence of the first engine under which a page is hard.
_HARD = {"fast": 0.0, "balanced": 0.87, "thorough": 0.93}


def is_hard(page: Page, options: Options) -> bool:
    """Whether the second engine may read the page better.

    It knows Latin letters and Chinese; where other languages are set it is not asked.
    """
    bound = _HARD[options.ocr_ladder]
    if page.engine is None or not bound or options.ocr_languages != "eng":
        return False
    if page.source is PageSource.OCR:
        return page.confidence is not None and page.confidence < bound
    return page.source is PageSource.UNREADABLE


def better(first: Page, second: Reading) -> Page:
    """The reading that is worth more: letters in runs as long as words, as far as trusted."""
    sure = first.confidence or 0.0
    before = Reading(first.text, sure, 0, tuple(Line(x, sure) for x in first.text.splitlines()))
    text = chars.clean(second.text)
    if not text or second.worth <= before.worth:
        return first
    changed = {
        "text": text,
        "source": PageSource.OCR,
        "engine": rapid.NAME,
        "confidence": round(min(1.0, second.confidence), 4),
    }
    if isinstance(first, WordedPage):
        # The words of the first engine are turned with the page; the second saw it as it is.
        changed |= {"words": tuple(on_page(second)), "turn": 0}
    return first.model_copy(update=changed)
