"""A first try, and more only for pages that want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbox.extract.ocr import Engine, Reading

if TYPE_CHECKING:
    from PIL.Image import Image

# Tesseract's mean word confidence: above the first, a second try has nothing to win; below the
# second, the page is turned or no print at all.
ACCEPT = 0.88
LOST = 0.60
# Words are right more often than wrong.
FAIR = 0.70
# An empty page reports a high confidence; so few words say nothing about the page.
FEW_WORDS = 4
# Print covers a tenth of a page. If much more counts as ink, a shadow does, and what lies in it is
# lost without lowering the confidence in the rest.
SHADED = 0.2
_LOOK_SIDE = 600
# Long side in pixels that is enough to see which way up a page is.
_ORIENTATION_SIDE = 1500


# Print is as legible to the engine as at higher resolutions, and costs a fifth less.
_FIRST_DPI = 220

# Noise reads as some words in every direction: a turned page must clearly win.
_CLEARLY = 1.5


def read_page(engine: Engine, image: Image, dpi: int, *, thrifty: bool = False) -> Reading:
    """The best reading of a gray page that a few tries give.

    Args:
        engine: what reads.
        image: the page.
        dpi: its resolution.
        thrifty: whether a fair reading is good enough.
    """
    best = engine.read(*_reduced(image, dpi))
    shaded = dark_share(image) >= SHADED
    if _accepted(best) and not shaded:
        return best
    if thrifty and best.confidence >= FAIR and best.words > FEW_WORDS and not shaded:
        return best
    if best.confidence < LOST or best.words <= FEW_WORDS:
        image, best = _turned(engine, image, dpi, best)
    elif dpi > _FIRST_DPI:
        best = _better(best, engine.read(image, dpi))
        if _accepted(best) and not shaded:
            return best
    # Uneven light; it spoils clean receipts, so it is never the first try.
    best = _better(best, engine.read(image, dpi, local_threshold=True))
    if best.confidence < LOST:
        # Faint print over patterns, as on identity cards.
        best = _better(best, engine.read(_stretched(image), dpi, local_threshold=True))
    return best


def _reduced(image: Image, dpi: int) -> tuple[Image, int]:
    if dpi <= _FIRST_DPI:
        return image, dpi
    scale = _FIRST_DPI / dpi
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, reducing_gap=2.0), _FIRST_DPI


def _accepted(reading: Reading) -> bool:
    return reading.confidence >= ACCEPT and reading.words > FEW_WORDS


def dark_share(image: Image) -> float:
    """Share of a page that one threshold for all of it takes for ink."""
    histogram = image.reduce(max(1, max(image.size) // _LOOK_SIDE)).histogram()
    total = sum(histogram)
    mass = sum(level * count for level, count in enumerate(histogram))
    best = best_spread = below = mass_below = 0.0
    for level, count in enumerate(histogram):  # Otsu: the cut that parts the levels best
        below += count
        mass_below += level * count
        if 0 < below < total:
            apart = mass_below / below - (mass - mass_below) / (total - below)
            spread = below * (total - below) * apart * apart
            if spread > best_spread:
                best, best_spread = below, spread
    return best / total


def _better(first: Reading, second: Reading) -> Reading:
    return second if second.worth > first.worth else first


def _stretched(image: Image) -> Image:
    from PIL import ImageOps

    return ImageOps.autocontrast(image, cutoff=1)


def _turned(engine: Engine, image: Image, dpi: int, upright: Reading) -> tuple[Image, Reading]:
    """The page and its reading, set upright if it was not."""
    turn = engine.rotation(image, dpi)
    if turn is None:
        turn = _turn_by_trying(engine, image, dpi)
    if turn:
        turned = image.rotate(turn, expand=True)
        found = engine.read(turned, dpi)
        if found.worth > _CLEARLY * upright.worth:
            return turned, found
    return image, upright


def _turn_by_trying(engine: Engine, image: Image, dpi: int) -> int:
    """Degrees counter-clockwise under which a small copy reads best."""
    small = image.copy()
    small.thumbnail((_ORIENTATION_SIDE, _ORIENTATION_SIDE))
    reduced = max(70, round(dpi * max(small.size) / max(image.size)))
    worths = {
        turn: engine.read(small.rotate(turn, expand=True), reduced).worth
        for turn in (0, 90, 180, 270)
    }
    return max(worths, key=lambda turn: worths[turn])
