"""Documents of which every letter is known, for `bench/read.py`."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pikepdf
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = [
    "account",
    "agreement",
    "amount",
    "annual",
    "approval",
    "article",
    "balance",
    "board",
    "branch",
    "building",
    "business",
    "certificate",
    "claim",
    "client",
    "company",
    "condition",
    "contract",
    "copy",
    "council",
    "date",
    "delivery",
    "department",
    "deposit",
    "director",
    "document",
    "draft",
    "employee",
    "estate",
    "evidence",
    "export",
    "factory",
    "figure",
    "finance",
    "garden",
    "general",
    "harbour",
    "hospital",
    "import",
    "income",
    "insurance",
    "interest",
    "invoice",
    "journal",
    "kitchen",
    "labour",
    "ledger",
    "letter",
    "library",
    "licence",
    "machine",
    "manager",
    "market",
    "material",
    "medical",
    "meeting",
    "member",
    "message",
    "minister",
    "network",
    "notice",
    "number",
    "office",
    "officer",
    "order",
    "paper",
    "parcel",
    "partner",
    "payment",
    "person",
    "police",
    "premium",
    "product",
    "profit",
    "project",
    "quarter",
    "railway",
    "receipt",
    "record",
    "region",
    "report",
    "rental",
    "sample",
    "schedule",
    "school",
    "secretary",
    "section",
    "service",
    "signature",
    "society",
    "statement",
    "station",
    "student",
    "supplier",
    "surface",
    "system",
    "teacher",
    "tenant",
    "total",
    "transfer",
    "treasury",
    "value",
    "vehicle",
    "village",
    "warehouse",
    "water",
    "window",
    "witness",
]
LINES, SHEET = 44, (2480, 3508)
MANY, SCANS = 100, 8


def documents(place: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Cases with their files and the true text of each page."""
    chance = random.Random(7)
    truth = [page_of(chance) for _ in range(SCANS)]
    yield "scan", written(place / "scan.pdf", [scan_of(text, chance) for text in truth]), truth
    truth = [page_of(chance) for _ in range(MANY)]
    yield "text", written(place / "text.pdf", truth), truth
    yield "text, 10 pages", written(place / "text10.pdf", truth[:10]), truth[:10]
    truth = [page_of(chance) for _ in range(6)]
    pages = [text if number % 2 else scan_of(text, chance) for number, text in enumerate(truth)]
    yield "every other a scan", written(place / "both.pdf", pages), truth


def page_of(chance: random.Random) -> str:
    """Lines of words and numbers."""
    lines = []
    for _ in range(LINES):
        words = [chance.choice(WORDS) for _ in range(8)]
        words[chance.randrange(8)] = f"{chance.randrange(10, 100000)}"
        lines.append(" ".join(words).capitalize() + ".")
    return "\n".join(lines)


def scan_of(text: str, chance: random.Random) -> Image.Image:
    """A sheet with this text as a scanner sees it: a little turned, soft and grainy."""
    font = ImageFont.load_default(30)
    sheet = Image.new("L", SHEET, 250)
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(text.splitlines()):
        pen.text((220, 260 + 68 * number), line, font=font, fill=30)
    turned = sheet.rotate(chance.uniform(-0.6, 0.6), Image.Resampling.BICUBIC, fillcolor=250)
    soft = turned.filter(ImageFilter.GaussianBlur(1.6))
    grain = Image.effect_noise(SHEET, 60)
    return Image.blend(soft, grain, 0.1)


def written(path: Path, pages: list[str | Image.Image]) -> Path:
    """A PDF of pages with a text layer and of scans."""
    with pikepdf.new() as made:
        for page in pages:
            add = add_text if isinstance(page, str) else add_scan
            add(made, page)  # type: ignore[operator]
        made.save(path)
    return path


def add_text(made: pikepdf.Pdf, text: str) -> None:
    """A page with a text layer."""
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
    )
    lines = [f"({line}) Tj T*" for line in text.splitlines()]
    content = f"BT /F1 10 Tf 60 760 Td 15 TL {' '.join(lines)} ET"
    add_page(made, content, pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font)))


def add_scan(made: pikepdf.Pdf, picture: Image.Image) -> None:
    """A page that is a picture."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    stream = pikepdf.Stream(made, out.getvalue())
    stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
    stream.Width, stream.Height = picture.size
    stream.ColorSpace, stream.BitsPerComponent = pikepdf.Name.DeviceGray, 8
    stream.Filter = pikepdf.Name.DCTDecode
    resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=stream))
    add_page(made, "q 595 0 0 842 0 0 cm /Im0 Do Q", resources)


def add_page(made: pikepdf.Pdf, content: str, resources: pikepdf.Dictionary) -> None:
    """A page of the size of a sheet."""
    page = pikepdf.Dictionary(
        Type=pikepdf.Name.Page,
        MediaBox=[0, 0, 595, 842],
        Resources=resources,
        Contents=pikepdf.Stream(made, content.encode()),
    )
    made.pages.append(pikepdf.Page(made.make_indirect(page)))
