"""Papers about people: a résumé, a form, an identity card. Nobody in them exists."""

from __future__ import annotations

from inbox.samples.sheet import Font, Sheet

LEFT, RIGHT = 62.0, 533.0


def resume() -> Sheet:
    """The résumé of a bridge engineer."""
    sheet = Sheet()
    sheet.text(LEFT, 76, "Amara Oduya", Font.SANS_BOLD, size=24)
    sheet.text(LEFT, 95, "Structural engineer, bridges and footbridges", Font.SANS, size=12)
    sheet.text(
        LEFT,
        113,
        "Bergen, Norway  ·  amara.oduya@example.org  ·  +47 555 01 877",
        Font.SANS,
        size=9.5,
    )
    sheet.rule(LEFT, 123, RIGHT, 1.4)
    y = _heading(sheet, 148, "Profile")
    y = sheet.paragraph(
        LEFT,
        y,
        RIGHT - LEFT,
        "Chartered engineer with nine years of experience in the design and assessment of timber "
        "and steel bridges. Led teams of up to six. Enjoys turning a difficult site into a simple "
        "drawing.",
    )
    y = _heading(sheet, y + 12, "Work experience")
    y = _experience(sheet, y)
    y = _heading(sheet, y + 8, "Education")
    for title, dates in (
        ("MSc Structural Engineering, University of Leeds, with distinction", "2015 - 2016"),
        ("BSc Civil Engineering, University of Nairobi, first class", "2011 - 2015"),
    ):
        sheet.text(LEFT, y, title)
        sheet.right(RIGHT, y, dates)
        y += 15
    y = _heading(sheet, y + 10, "Skills")
    y = sheet.lines(
        LEFT,
        y,
        [
            "Software: finite element analysis, Python, parametric modelling, CAD",
            "Languages: English and Swahili (native), Norwegian (fluent), French (basic)",
            "Certifications: Chartered Engineer; rope access level 2; driving licence",
        ],
    )
    y = _heading(sheet, y + 10, "Interests")
    y = sheet.lines(LEFT, y, ["Sea kayaking, choir, volunteering as a mathematics tutor"])
    sheet.text(LEFT, y + 14, "References available on request.", Font.SERIF_ITALIC, size=11)
    return sheet


def _experience(sheet: Sheet, y: float) -> float:
    for title, dates, points in (
        (
            "Senior structural engineer, Fjellbru AS, Bergen",
            "2021 - present",
            [
                "Responsible for the design of eleven pedestrian bridges in western Norway.",
                "Introduced load monitoring on four older bridges; two were kept in service.",
                "Supervises three junior engineers and two master's students a year.",
            ],
        ),
        (
            "Structural engineer, Hallam & Whyte, Leeds",
            "2017 - 2021",
            [
                "Assessed more than sixty masonry arch bridges for a railway authority.",
                "Managed the replacement of a swing bridge under traffic, on time and budget.",
            ],
        ),
        (
            "Internship, Port Authority of Mombasa",
            "Summer 2016",
            ["Surveyed quay walls and developed a spreadsheet for crane loads."],
        ),
    ):
        sheet.text(LEFT, y, title, Font.SANS_BOLD, size=10.5)
        sheet.right(RIGHT, y, dates, Font.SANS, size=10)
        y += 15
        for point in points:
            sheet.text(LEFT + 8, y, "•", Font.SANS, size=10)
            y = sheet.paragraph(LEFT + 20, y, RIGHT - LEFT - 20, point)
        y += 6
    return y


def _heading(sheet: Sheet, y: float, text: str) -> float:
    sheet.text(LEFT, y, text.upper(), Font.SANS_BOLD, size=11)
    sheet.rule(LEFT, y + 5, RIGHT, 0.4)
    return y + 22


def form() -> Sheet:
    """An application form of a library, filled in."""
    sheet = Sheet()
    sheet.text(LEFT, 70, "Whitcombe Bay Public Library", Font.SANS_BOLD, size=14)
    sheet.right(RIGHT, 70, "Form No. L-3 (rev. 01/2026)", Font.SANS, size=9)
    sheet.text(LEFT, 98, "Application form for a library card", Font.SANS_BOLD, size=17)
    sheet.paragraph(
        LEFT,
        118,
        RIGHT - LEFT,
        "Please complete all sections in block capitals and hand the form in at the desk. "
        "Please print clearly. Fields marked with * are required.",
        Font.SANS,
        size=9.5,
    )
    y = _fields(
        sheet,
        160,
        "1. Applicant",
        [
            ("Surname *", "HALVORSEN", 0, 0.5),
            ("First name *", "INGRID", 0.5, 0.5),
            ("Date of birth *", "08 / 11 / 1991", 0, 0.33),
            ("Telephone", "01632 960 977", 0.33, 0.33),
            ("Nationality", "NORWEGIAN", 0.66, 0.34),
            ("Address *", "7 COBBLER'S YARD", 0, 0.66),
            ("Postcode *", "WB4 1AX", 0.66, 0.34),
        ],
    )
    sheet.text(LEFT, y, "2. Type of card (check one)", Font.SANS_BOLD, size=11)
    y = _boxes(sheet, y + 20, [("Adult", True), ("Child under 16", False), ("Family", False)])
    sheet.text(
        LEFT, y, "3. How did you hear of us? (check all that apply)", Font.SANS_BOLD, size=11
    )
    y = _boxes(sheet, y + 20, [("School", False), ("Friends", True), ("Other", False)])
    y = sheet.paragraph(
        LEFT, y - 4, RIGHT - LEFT, "If other, please specify: ", Font.SANS, size=9.5
    )
    sheet.rule(LEFT + 112, y - 12, RIGHT)
    y += 12
    _declaration(sheet, y)
    return sheet


def _declaration(sheet: Sheet, y: float) -> None:
    sheet.text(LEFT, y, "4. Declaration", Font.SANS_BOLD, size=11)
    y = sheet.paragraph(
        LEFT,
        y + 18,
        RIGHT - LEFT,
        "I declare that the information given above is true, and I accept the rules of the "
        "library. I will tell the library if my address changes.",
        Font.SANS,
        size=9.5,
    )
    sheet.text(LEFT + 6, y + 36, "Ingrid Halvorsen", Font.SERIF_ITALIC, size=17)
    sheet.text(340, y + 36, "3 / 2 / 2026", Font.SERIF_ITALIC, size=14)
    sheet.rule(LEFT, y + 42, 300)
    sheet.rule(335, y + 42, RIGHT)
    sheet.text(LEFT, y + 54, "Signature of applicant", Font.SANS, size=8.5)
    sheet.text(335, y + 54, "Date", Font.SANS, size=8.5)
    sheet.box(LEFT, y + 80, RIGHT - LEFT, 74, 0.92)
    sheet.text(
        LEFT + 8,
        y + 97,
        "For office use only. Do not write below this line.",
        Font.SANS_BOLD,
        size=9,
    )
    sheet.text(
        LEFT + 8, y + 118, "Card number: ______________   Checked by: ______________", size=9.5
    )
    sheet.text(
        LEFT + 8, y + 138, "Proof of address:  [ ] yes  [ ] no    Date: ____________", size=9.5
    )


def _fields(
    sheet: Sheet, y: float, title: str, fields: list[tuple[str, str, float, float]]
) -> float:
    sheet.text(LEFT, y, title, Font.SANS_BOLD, size=11)
    y -= 30
    room = RIGHT - LEFT
    for name, value, start, share in fields:
        if not start:
            y += 44
        x = LEFT + room * start
        sheet.box(x, y, room * share - 6, 36)
        sheet.text(x + 5, y + 11, name, Font.SANS, size=7.5)
        sheet.text(x + 8, y + 29, value, Font.MONO_BOLD, size=12)
    return y + 66


def _boxes(sheet: Sheet, y: float, choices: list[tuple[str, bool]]) -> float:
    for number, (name, chosen) in enumerate(choices):
        x = LEFT + 150 * number
        sheet.box(x, y - 9, 11, 11)
        if chosen:
            sheet.text(x + 2, y, "X", Font.SANS_BOLD, size=11)
        sheet.text(x + 18, y, name)
    return y + 34


def identity_card() -> Sheet:
    """A card of a country that is on no map, with the lines that machines read."""
    sheet = Sheet((486, 306))
    sheet.box(0, 0, 486, 306, 0.95)
    sheet.box(0, 0, 486, 44, 0.82)
    sheet.text(20, 29, "REPUBLIC OF UTOPIA", Font.SANS_BOLD, size=17)
    sheet.right(466, 28, "IDENTITY CARD", Font.SANS_BOLD, size=13)
    _portrait(sheet)
    fields = [
        (150, 66, "Surname", "MARCHETTI"),
        (150, 98, "Given names", "LUCIA ELENA"),
        (150, 130, "Nationality", "UTOPIAN"),
        (290, 130, "Date of birth", "14.07.1988"),
        (150, 162, "Sex", "F"),
        (200, 162, "Place of birth", "AMAUROT"),
        (330, 162, "Date of expiry", "30.09.2031"),
        (150, 194, "Card number", "T22000129"),
        (290, 194, "Authority", "CITY OF AMAUROT"),
    ]
    for x, y, name, value in fields:
        sheet.text(x, y, name, Font.SANS, size=7.5)
        sheet.text(x, y + 14, value, Font.SANS_BOLD, size=12)
    sheet.box(0, 226, 486, 80, 1)
    for number, line in enumerate(_machine_lines()):
        sheet.text(22, 249 + 20 * number, line, Font.MONO_BOLD, size=15.5)
    return sheet


def _portrait(sheet: Sheet) -> None:
    sheet.box(22, 62, 106, 146, 0.75)
    for step in range(40):  # a head and shoulders out of strips
        across = 28 * (1 - ((step - 20) / 20) ** 2) ** 0.5
        sheet.box(75 - across, 82 + step * 1.9, 2 * across, 2.2, 0.42)
    for step in range(30):
        across = 16 + 30 * (step / 30) ** 0.5
        sheet.box(75 - across, 160 + step * 1.55, 2 * across, 1.9, 0.30)


def _machine_lines() -> list[str]:
    number, born, expires = "T22000129", "880714", "310930"
    first = f"IDUTO{number}{_check(number)}".ljust(30, "<")
    second = f"{born}{_check(born)}F{expires}{_check(expires)}UTO".ljust(29, "<")
    second += _check(first[5:] + second[:7] + second[8:15] + second[18:29])
    return [first, second, "MARCHETTI<<LUCIA<ELENA".ljust(30, "<")]


def _check(text: str) -> str:
    """The check digit of the machine-readable lines: weights 7, 3, 1 over base-36 digits."""
    digits = (0 if character == "<" else int(character, 36) for character in text)
    return str(sum(digit * (7, 3, 1)[place % 3] for place, digit in enumerate(digits)) % 10)
