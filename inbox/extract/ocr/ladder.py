"""A first try, and more only for pages that want it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from inbox.extract.ocr import Engine, Reading, Way

if TYPE_CHECKING:
    from PIL.Image import Image

Depth = Literal["fast", "balanced", "thorough"]
# Draws a page in gray at no more than so many dots per inch, and says at how many.
Draw = Callable[[int], "tuple[Image, int]"]

# Print is as legible to the engine as at 300 dots per inch, and costs a quarter less; where a fair
# reading will do, half.
FIRST_DPI: dict[Depth, int] = {"fast": 160, "balanced": 200, "thorough": 200}
FULL_DPI = 300
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
# Noise reads as some words in every direction: a turned page must clearly win.
_CLEARLY = 1.5


def read_page(engine: Engine, draw: Draw, depth: Depth, *, words: bool = False) -> Reading:
    """The best reading of a page that a few tries give.

    Args:
        engine: what reads.
        draw: gives the page as a picture.
        depth: how much is tried.
        words: whether to tell where each word stands.
    """
    way = Way(words=words)
    image, dpi = draw(FIRST_DPI[depth])
    best = engine.read(image, dpi, way)
    shaded = dark_share(image) >= SHADED
    enough = _fair if depth == "fast" else _accepted
    if enough(best) and not shaded:
        return best
    if best.confidence < LOST or best.words <= FEW_WORDS:
        best = _upright(engine, image, dpi, way, best)
        if enough(best) and not shaded:
            return best
    turn = best.turn
    image, finer = _turned(draw(FULL_DPI), turn)
    if finer != dpi:
        best = _better(best, _seen(engine.read(image, finer, way), turn))
    if not shaded and (depth == "fast" or _accepted(best)):
        return best
    # Uneven light; it spoils clean receipts, so it is never the first try.
    local = way._replace(local_threshold=True)
    best = _better(best, _seen(engine.read(image, finer, local), turn))
    if best.confidence < LOST:
        # Faint print over patterns, as on identity cards.
        stretched = engine.read(_stretched(image), finer, local)
        best = _better(best, _seen(stretched, turn))
    if depth == "thorough" and not _accepted(best):
        # A layout was seen where there is none: prices apart from what they are for, boxes.
        block = engine.read(image, finer, way._replace(block=True))
        best = _better(best, _seen(block, turn))
    return best


def _seen(reading: Reading, turn: int) -> Reading:
    """A reading of the page after it was turned."""
    return reading._replace(turn=(reading.turn + turn) % 360)


def _accepted(reading: Reading) -> bool:
    return reading.confidence >= ACCEPT and reading.words > FEW_WORDS


def _fair(reading: Reading) -> bool:
    return reading.confidence >= FAIR and reading.words > FEW_WORDS


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


def _turned(drawn: tuple[Image, int], turn: int) -> tuple[Image, int]:
    image, dpi = drawn
    return (image.rotate(turn, expand=True) if turn else image), dpi


def _upright(engine: Engine, image: Image, dpi: int, way: Way, before: Reading) -> Reading:
    """The page read the right way up; as before where that is not certain."""
    turn = engine.rotation(image, dpi)
    if turn is None:
        turn = _turn_by_trying(engine, image, dpi)
    if not turn:
        return before
    found = _seen(engine.read(image.rotate(turn, expand=True), dpi, way), turn)
    return found if found.worth > _CLEARLY * before.worth else before


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
