"""What scanners and telephones make of a sheet of paper. The noise is the same every time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from inbox.samples.sheet import Sheet, pdf

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SCAN_DPI = 200
POINTS = 72


def render(sheet: Sheet, dpi: int) -> Image.Image:
    """The sheet as a gray picture."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf([sheet]))
    try:
        page = document[0]
        shown: Image.Image = page.render(scale=dpi / POINTS, grayscale=True).to_pil()
        return shown.convert("L")
    finally:
        document.close()


def scan(sheets: Sequence[Sheet]) -> bytes:
    """A PDF of pictures as an office scanner makes it: a little askew, dusty, no text layer."""
    import pikepdf

    written = io.BytesIO()
    with pikepdf.new() as document:
        for number, sheet in enumerate(sheets):
            picture = _through_feeder(render(sheet, SCAN_DPI), number)
            packed = io.BytesIO()
            picture.save(packed, "JPEG", quality=70, dpi=(SCAN_DPI, SCAN_DPI))
            page = document.add_blank_page(page_size=sheet.size)
            image = document.make_stream(
                packed.getvalue(),
                Type=pikepdf.Name.XObject,
                Subtype=pikepdf.Name.Image,
                Width=picture.width,
                Height=picture.height,
                ColorSpace=pikepdf.Name.DeviceGray,
                BitsPerComponent=8,
                Filter=pikepdf.Name.DCTDecode,
            )
            page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=image))
            wide, high = sheet.size
            page.obj.Contents = document.make_stream(
                f"q {wide:g} 0 0 {high:g} 0 0 cm /Im0 Do Q".encode("ascii")
            )
        document.docinfo[pikepdf.Name.Producer] = pikepdf.String("Office scanner")
        document.save(written, deterministic_id=True)
    return written.getvalue()


def _through_feeder(picture: Image.Image, number: int) -> Image.Image:
    import numpy as np
    from PIL import Image, ImageFilter

    chance = np.random.default_rng(7 + number)
    askew = (0.7, -0.5)[number % 2]
    picture = picture.rotate(askew, Image.Resampling.BICUBIC, fillcolor=255)
    picture = picture.filter(ImageFilter.GaussianBlur(0.6))
    paper = np.asarray(picture, dtype=np.float64) * 0.90 + 18
    paper += chance.normal(0, 5, paper.shape)
    high, wide = paper.shape
    for _ in range(120):
        y, x = int(chance.integers(high - 2)), int(chance.integers(wide - 2))
        paper[y : y + 2, x : x + 2] -= chance.uniform(40, 120)
    paper[:, :3] -= 60  # the edge of the glass
    return _picture(paper)


def picture(sheet: Sheet) -> bytes:
    """A clean PNG of a sheet."""
    packed = io.BytesIO()
    render(sheet, SCAN_DPI).save(packed, "PNG", dpi=(SCAN_DPI, SCAN_DPI), optimize=True)
    return packed.getvalue()


def photograph(sheet: Sheet) -> bytes:
    """A JPEG as a telephone makes it of a slip of paper on a table: tilted, shaded, noisy."""
    import numpy as np
    from PIL import Image, ImageFilter

    chance = np.random.default_rng(11)
    slip = render(sheet, 220)
    wide, high = int(slip.width * 1.35), int(slip.height * 1.18)
    corners = [
        (wide * 0.140, high * 0.070),
        (wide * 0.868, high * 0.066),
        (wide * 0.885, high * 0.936),
        (wide * 0.125, high * 0.930),
    ]
    back = _perspective(corners, slip.size)
    way = Image.Transform.PERSPECTIVE
    soft = Image.Resampling.BICUBIC
    paper = slip.transform((wide, high), way, back, soft, fillcolor=255)
    mask = Image.new("L", slip.size, 255).transform((wide, high), way, back, soft, fillcolor=0)
    shadow = mask.filter(ImageFilter.GaussianBlur(14))

    grain = np.cumsum(chance.normal(0, 1.2, (high, 1)), axis=0)
    table = 92 + 10 * np.sin(grain / 6) + chance.normal(0, 3, (high, wide))
    table = table * (1 - 0.45 * np.asarray(shadow) / 255)
    share = np.asarray(mask, dtype=np.float64) / 255
    gray = np.asarray(paper, dtype=np.float64) * 0.82 + 30
    scene = gray * share + table * (1 - share)

    across, down = np.meshgrid(np.linspace(0, 1, wide), np.linspace(0, 1, high))
    light = 1.04 - 0.22 * across - 0.16 * down + 0.10 * np.exp(-8 * ((across - 0.3) ** 2 + down**2))
    scene = scene * light
    warm = np.stack([scene * 1.02, scene * 0.985, scene * 0.92], axis=-1)
    warm += chance.normal(0, 3.5, warm.shape)
    picture = _picture(warm).filter(ImageFilter.GaussianBlur(0.7))
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=82)
    return packed.getvalue()


def _picture(values: np.ndarray) -> Image.Image:
    import numpy as np
    from PIL import Image

    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _perspective(corners: Sequence[tuple[float, float]], size: tuple[int, int]) -> list[float]:
    """The eight numbers that take a point of the scene back to the sheet.

    Args:
        corners: where the sheet's corners are in the scene, clockwise from the top left.
        size: of the sheet, in pixels.
    """
    import numpy as np

    wide, high = size
    sheet = [(0, 0), (wide, 0), (wide, high), (0, high)]
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, sheet, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        values += [u, v]
    return [float(number) for number in np.linalg.solve(np.array(rows), np.array(values))]
