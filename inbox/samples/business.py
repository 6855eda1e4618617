"""Business papers: an invoice, a letter, a till receipt."""

from __future__ import annotations

from inbox.samples.sheet import Font, Sheet

LEFT, RIGHT = 62.0, 533.0

_FIRST_PAGE = """\
Thank you for your letter of 26 February about the draughts in your living room and the water
that came in during the storm on 14 February. I am sorry that you had to wait for an answer. I
visited the building with our surveyor last week, and I am writing to tell you what we found and
what we are going to do about it.

The frames on the seaward side of the house are beyond repair. The wood has softened at the
lower joints, and the sealing that was put in eleven years ago no longer holds. We have
therefore decided to replace all forty-eight windows on that side, and not only those of the
three flats from which we had complaints.

The work will begin on Monday 13 April and should take about five weeks. Scaffolding goes up in
the week before. For your flat the fitters need one full day, which we expect to be Thursday 23
April. Please let me know by the end of March if that day is not possible for you, and we will
find another.

I would ask you to clear the window sills and to move furniture at least one metre away from the
windows. If you cannot do so yourself, please telephone the office and we will send somebody to
help you on the evening before, at no cost to you.
"""

_SECOND_PAGE = """\
You also asked who pays for the damage to your floor. Our insurers have agreed to cover it, and
I have enclosed a short note of what they would like to see: two photographs and an estimate
from a flooring company of your choice. We will settle the bill with that company directly, so
you will not be out of pocket.

Your rent does not change because of the new windows. We expect that your heating costs will
fall by about a fifth; our surveyor will be glad to explain how she came to that figure if you
are interested.

There will be tea and a chance to ask questions in the common room on Wednesday 25 March at six
o'clock in the evening. I look forward to seeing you there, and I thank you once more for your
patience and for describing the problem so clearly.
"""


def invoice() -> Sheet:
    """A German invoice of a joinery."""
    sheet = Sheet()
    sheet.text(LEFT, 70, "Tischlerei Brandhuber", Font.SANS_BOLD, size=18)
    sheet.text(LEFT, 86, "Möbel · Treppen · Innenausbau", Font.SANS, size=9)
    head = [
        "Lindenweg 14, 83022 Rosenheim",
        "Telefon 08031 555 0142",
        "USt-IdNr. DE299887766",
    ]
    for number, line in enumerate(head):
        sheet.right(RIGHT, 66 + 12 * number, line, Font.SANS, size=8.5)
    sheet.rule(LEFT, 104, RIGHT, 1.2)

    sheet.text(LEFT, 142, "Brandhuber · Lindenweg 14 · 83022 Rosenheim", Font.SANS, size=7)
    sheet.lines(
        LEFT,
        160,
        ["Café Morgenstern GmbH", "Frau Dilara Aydin", "Hafenstraße 3", "83209 Prien am Chiemsee"],
        Font.SANS,
        size=10.5,
    )
    facts = [
        ("Rechnungsnummer", "2026-0417"),
        ("Rechnungsdatum", "17.04.2026"),
        ("Kundennummer", "K-1088"),
        ("Leistungszeitraum", "23.03. bis 10.04.26"),
    ]
    for number, (name, value) in enumerate(facts):
        sheet.text(350, 160 + 14 * number, name, Font.SANS, size=9.5)
        sheet.right(RIGHT, 160 + 14 * number, value, Font.SANS, size=9.5)

    sheet.text(LEFT, 268, "Rechnung", Font.SANS_BOLD, size=15)
    y = sheet.paragraph(
        LEFT,
        292,
        RIGHT - LEFT,
        "Sehr geehrte Frau Aydin, vielen Dank für Ihren Auftrag. Für die Theke und die Sitzbänke "
        "in Ihrem Café stellen wir Ihnen wie vereinbart in Rechnung:",
    )
    y = _invoice_table(sheet, y + 16)
    sheet.paragraph(
        LEFT,
        y + 30,
        RIGHT - LEFT,
        "Bitte überweisen Sie den Gesamtbetrag ohne Abzug. Zahlbar bis 01.05.2026. Das gelieferte "
        "Holz stammt aus nachhaltig bewirtschafteten Wäldern im Chiemgau.",
    )
    sheet.rule(LEFT, 778, RIGHT)
    sheet.text(
        LEFT,
        792,
        "Bankverbindung: Sparkasse Rosenheim · IBAN DE02 1203 0000 0000 2020 51 · BIC BYLADEM1001",
        Font.SANS,
        size=8,
    )
    sheet.text(
        LEFT, 804, "Steuernummer 156/204/30877 · Inhaber: Korbinian Brandhuber", Font.SANS, size=8
    )
    return sheet


def _invoice_table(sheet: Sheet, y: float) -> float:
    columns = (LEFT, 98.0, 372.0, 452.0, RIGHT)
    sheet.box(LEFT - 4, y - 13, RIGHT - LEFT + 8, 19, 0.90)
    sheet.text(columns[0], y, "Pos.", Font.SANS_BOLD, size=9)
    sheet.text(columns[1], y, "Bezeichnung", Font.SANS_BOLD, size=9)
    for x, name in zip(columns[2:], ("Menge", "Einzelpreis", "Gesamtpreis"), strict=True):
        sheet.right(x, y, name, Font.SANS_BOLD, size=9)
    items = [
        ("Theke in Eiche massiv, geölt, 3,20 m", "1 Stk.", "4.860,00 €", "4.860,00 €"),
        ("Sitzbank in Esche mit Rückenlehne, 1,80 m", "4 Stk.", "690,00 €", "2.760,00 €"),
        ("Wandregal, Eiche, nach Maß", "2 Stk.", "415,00 €", "830,00 €"),
        ("Montage vor Ort", "22 Std.", "58,00 €", "1.276,00 €"),
        ("Anfahrt und Lieferung", "1 psch.", "140,00 €", "140,00 €"),
    ]
    for number, (name, *figures) in enumerate(items, 1):
        y += 21
        sheet.text(columns[0], y, str(number), Font.SANS, size=9.5)
        sheet.text(columns[1], y, name, Font.SANS, size=9.5)
        for x, figure in zip(columns[2:], figures, strict=True):
            sheet.right(x, y, figure, Font.SANS, size=9.5)
        sheet.rule(LEFT, y + 7, RIGHT, 0.2)
    sums = [
        ("Nettobetrag", "9.866,00 €", Font.SANS),
        ("zzgl. 19 % MwSt.", "1.874,54 €", Font.SANS),
        ("Gesamtbetrag", "11.740,54 €", Font.SANS_BOLD),
    ]
    y += 12
    for name, figure, font in sums:
        y += 17
        sheet.text(330, y, name, font)
        sheet.right(RIGHT, y, figure, font)
    sheet.rule(330, y + 5, RIGHT, 1)
    return y


def letter() -> list[Sheet]:
    """A letter of two pages from a housing association."""
    first = Sheet()
    first.text(LEFT, 72, "Harbour Lane Housing Association", Font.SERIF_BOLD, size=17)
    first.text(LEFT, 90, "9 Harbour Lane, Whitcombe Bay, WB4 2TR", Font.SERIF, size=10.5)
    first.rule(LEFT, 100, RIGHT, 1)
    first.lines(
        LEFT,
        136,
        ["Mr Tobias Lindqvist", "Flat 12, Gannet House", "40 Quay Street", "Whitcombe Bay WB4 7LD"],
        Font.SERIF,
        size=12,
    )
    first.text(LEFT, 222, "12 March 2026", Font.SERIF, size=12)
    first.text(LEFT, 252, "Dear Mr Lindqvist,", Font.SERIF, size=12)
    first.text(LEFT, 280, "Replacement of the windows in Gannet House", Font.SERIF_BOLD, size=12)
    y = 306.0
    for paragraph in _FIRST_PAGE.split("\n\n"):
        y = first.paragraph(LEFT, y, RIGHT - LEFT, paragraph, Font.SERIF, size=12) + 9
    first.middle((LEFT + RIGHT) / 2, 800, "1", Font.SERIF, size=11)
    return [first, _second_page()]


def _second_page() -> Sheet:
    sheet = Sheet()
    sheet.text(LEFT, 72, "Mr T. Lindqvist, 12 March 2026", Font.SERIF_ITALIC, size=11)
    y = 112.0
    for paragraph in _SECOND_PAGE.split("\n\n"):
        y = sheet.paragraph(LEFT, y, RIGHT - LEFT, paragraph, Font.SERIF, size=12) + 9
    y = sheet.lines(LEFT, y + 10, ["Yours sincerely,"], Font.SERIF, size=12)
    sheet.text(LEFT + 6, y + 30, "Marguerite Okafor", Font.SERIF_ITALIC, size=22)
    sheet.lines(
        LEFT,
        y + 66,
        ["Marguerite Okafor", "Housing Manager", "", "Enclosed: note of the insurers"],
        Font.SERIF,
        size=12,
    )
    sheet.middle((LEFT + RIGHT) / 2, 800, "2", Font.SERIF, size=11)
    return sheet


def receipt() -> Sheet:
    """A till receipt of a greengrocer."""
    sheet = Sheet((204, 470))
    middle, right, left = 102.0, 187.0, 17.0
    sheet.middle(middle, 36, "PIP & PEEL", Font.MONO_BOLD, size=20)
    for level, line in (
        (54, "Greengrocers since 1987"),
        (67, "21 Market Row, Eastholme"),
        (80, "Tel. 01632 960 418"),
    ):
        sheet.middle(middle, level, line, Font.MONO, size=9.5)
    sheet.text(left, 104, "RECEIPT No. 004713", Font.MONO_BOLD, size=10)
    sheet.text(left, 117, "02/05/2026  10:42  Till 2", Font.MONO, size=9.5)
    sheet.text(left, 130, "Cashier: Noor", Font.MONO, size=9.5)
    sheet.rule(left, 139, right)
    items = [
        ("Bananas 1.24 kg at 1.25", "1.55"),
        ("Braeburn apples 1 kilo", "2.80"),
        ("Baby spinach bag 400 g", "1.95"),
        ("Unwaxed lemons 2 x 0.40", "0.80"),
        ("Sourdough loaf 800 g", "3.60"),
        ("Free range eggs, dozen", "3.95"),
        ("Goat's cheese log 150 g", "4.25"),
        ("Paper carrier bag, lge", "0.10"),
    ]
    y = 154.0
    for name, price in items:
        sheet.text(left, y, f"{name} {price}", Font.MONO, size=9.5)
        y += 14
    sheet.rule(left, y - 4, right)
    sums = [
        ("SUBTOTAL 9 items", "19.00", Font.MONO),
        ("Members discount 10%", "-1.90", Font.MONO),
        ("TOTAL IN GBP", "17.10", Font.MONO_BOLD),
        ("CASH TENDERED", "20.00", Font.MONO),
        ("CHANGE DUE", "2.90", Font.MONO),
    ]
    y += 12
    for name, price, font in sums:
        sheet.text(left, y, f"{name} {price}", font, size=12 if font is Font.MONO_BOLD else 9.5)
        y += 17
    sheet.rule(left, y - 6, right)
    sheet.text(left, y + 8, "VAT no. GB 999 0000 73", Font.MONO, size=9.5)
    sheet.text(left, y + 21, "VAT included 0.02", Font.MONO, size=9.5)
    sheet.text(left, y + 34, "Paid in cash", Font.MONO, size=9.5)
    sheet.middle(middle, y + 58, "Thank you for shopping", Font.MONO, size=9.5)
    sheet.middle(middle, y + 71, "Please come again!", Font.MONO, size=9.5)
    return sheet
