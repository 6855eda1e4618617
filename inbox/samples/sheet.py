"""A small PDF writer: text in the standard fonts, lines and boxes, on white sheets."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

A4 = (595.0, 842.0)


class Font(StrEnum):
    """The standard fonts in use; every PDF reader brings them."""

    SANS = "Helvetica"
    SANS_BOLD = "Helvetica-Bold"
    SERIF = "Times-Roman"
    SERIF_BOLD = "Times-Bold"
    SERIF_ITALIC = "Times-Italic"
    MONO = "Courier"
    MONO_BOLD = "Courier-Bold"


# Widths of the characters from space to tilde, in thousandths of the size.
_SANS = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 "
    "556 556 556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 "
    "722 778 667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 "
    "556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 "
    "260 334 584"
)
_SERIF = (
    "250 333 408 500 500 833 778 180 333 333 500 564 250 333 250 278 500 500 500 500 500 500 500 "
    "500 500 500 278 278 564 564 564 444 921 722 667 667 722 611 556 722 722 333 389 722 611 889 "
    "722 722 556 722 667 556 611 722 722 944 722 722 611 333 278 333 469 500 333 444 500 444 500 "
    "444 333 500 500 278 278 500 278 778 500 500 500 500 333 389 278 500 500 722 500 500 444 480 "
    "200 480 541"
)
_WIDTHS = {"H": [int(width) for width in _SANS.split()], "T": [int(w) for w in _SERIF.split()]}
_BOLD = 1.06  # bold letters are about this much wider; their digits are not
_OTHER = 556


def width(text: str, font: Font, size: float) -> float:
    """How wide a line of text is, in points; exact for the regular fonts."""
    if font.value.startswith("Courier"):
        return 0.6 * size * len(text)
    widths = _WIDTHS[font.value[0]]
    total = 0.0
    for character in unicodedata.normalize("NFD", text):
        if unicodedata.combining(character):
            continue
        code = ord(character) - 32
        one = widths[code] if 0 <= code < len(widths) else _OTHER
        total += one * _BOLD if "Bold" in font.value and not character.isdigit() else one
    return total * size / 1000


def wrap(text: str, font: Font, size: float, room: float) -> list[str]:
    """Break a paragraph into lines that are at most `room` points wide."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width(longer, font, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


class Sheet:
    """One page. Distances are in points, from the left and from the top."""

    def __init__(self, size: tuple[float, float] = A4) -> None:
        self.size = size
        self._operators: list[bytes] = []

    def text(
        self, x: float, y: float, text: str, font: Font = Font.SANS, *, size: float = 10
    ) -> None:
        """Write a line that starts at `x`, with its base line at `y`."""
        name = list(Font).index(font)
        escaped = text.encode("cp1252").replace(b"\\", b"\\\\")
        escaped = escaped.replace(b"(", b"\\(").replace(b")", b"\\)")
        place = f"BT /F{name} {size:g} Tf {x:.2f} {self.size[1] - y:.2f} Td (".encode("ascii")
        self._operators.append(place + escaped + b") Tj ET")

    def right(
        self, x: float, y: float, text: str, font: Font = Font.SANS, *, size: float = 10
    ) -> None:
        """Write a line that ends at `x`."""
        self.text(x - width(text, font, size), y, text, font, size=size)

    def middle(
        self, x: float, y: float, text: str, font: Font = Font.SANS, *, size: float = 10
    ) -> None:
        """Write a line whose middle is at `x`."""
        self.text(x - width(text, font, size) / 2, y, text, font, size=size)

    def lines(
        self,
        x: float,
        y: float,
        lines: Sequence[str],
        font: Font = Font.SANS,
        *,
        size: float = 10,
    ) -> float:
        """Write lines below each other; gives the base line that would come next."""
        for line in lines:
            self.text(x, y, line, font, size=size)
            y += size * 1.35
        return y

    def paragraph(
        self,
        x: float,
        y: float,
        room: float,
        text: str,
        font: Font = Font.SANS,
        *,
        size: float = 10,
    ) -> float:
        """Write a paragraph `room` points wide; gives the base line that would come next."""
        return self.lines(x, y, wrap(text, font, size, room), font, size=size)

    def rule(self, x: float, y: float, to: float, thickness: float = 0.6) -> None:
        """Draw a level line from `x` to `to`."""
        level = self.size[1] - y
        self._draw(f"{thickness:g} w {x:.2f} {level:.2f} m {to:.2f} {level:.2f} l S")

    def box(self, x: float, y: float, width: float, height: float, gray: float = -1) -> None:
        """Draw a rectangle with its top left corner at x, y; filled if `gray` is 0 to 1."""
        corners = f"{x:.2f} {self.size[1] - y - height:.2f} {width:.2f} {height:.2f} re"
        self._draw(f"{gray:g} g {corners} f 0 g" if gray >= 0 else f"0.7 w {corners} S")

    def _draw(self, operators: str) -> None:
        self._operators.append(operators.encode("ascii"))

    @property
    def content(self) -> bytes:
        """The operators of the page."""
        return b"\n".join(self._operators)


def pdf(sheets: Sequence[Sheet], *, title: str = "", password: str | None = None) -> bytes:
    """The sheets as a PDF file, with a text layer; locked if there is a password."""
    import pikepdf

    written = io.BytesIO()
    with pikepdf.new() as document:
        fonts = pikepdf.Dictionary()
        for number, font in enumerate(Font):
            fonts[f"/F{number}"] = document.make_indirect(
                pikepdf.Dictionary(
                    Type=pikepdf.Name.Font,
                    Subtype=pikepdf.Name.Type1,
                    BaseFont=pikepdf.Name("/" + font.value),
                    Encoding=pikepdf.Name.WinAnsiEncoding,
                )
            )
        for sheet in sheets:
            page = document.add_blank_page(page_size=sheet.size)
            page.obj.Resources = pikepdf.Dictionary(Font=fonts)
            page.obj.Contents = document.make_stream(sheet.content)
        if title:
            document.docinfo[pikepdf.Name.Title] = pikepdf.String(title)
        if password is None:
            document.save(written, deterministic_id=True)
        else:
            # RC4, because AES starts every string with random bytes; nothing here is secret.
            lock = pikepdf.Encryption(owner=password, user=password, R=3, aes=False, metadata=False)
            document.save(written, encryption=lock, static_id=True)
    return written.getvalue()
