"""Files of office programs: a lease and a memo (DOCX), a report (XLSX)."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime

WRITTEN = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)

PREAMBLE = """\
This Lease Agreement (the "Agreement") is made and entered into as of 1 May 2026 by and between \
Quayside Holdings Ltd, a company with its registered office at 2 Customs House, Eastholme (the \
"Landlord"), and Lantern & Loom Design LLP, of 15 Ropewalk, Eastholme (the "Tenant").

WHEREAS the Landlord owns the building known as 40 Ropewalk, and WHEREAS the Tenant wishes to rent \
office space therein, NOW THEREFORE, in consideration of the mutual covenants set forth herein, \
the parties agree as follows:"""

CLAUSES = {
    "Premises": "The Landlord hereby leases to the Tenant the second floor of the building, with "
    "an area of 210 square metres, together with the right to use the stairs, the lift and two "
    'parking places (the "Premises").',
    "Term": "The term of this Agreement shall be five years, beginning on 1 June 2026. Either "
    "party may terminate this Agreement at the end of the third year by giving not less than six "
    "months' prior written notice.",
    "Rent": "The Tenant shall pay a yearly rent of 31,500 pounds in equal monthly instalments, in "
    "advance, on the first day of each month. Rent that is more than ten days late shall bear "
    "interest at four per cent above the base rate.",
    "Deposit": "Upon signing, the Tenant shall pay a deposit of 7,875 pounds, which the Landlord "
    "shall hold in a separate account and return within thirty days after the end of the term, "
    "subject to deductions for damage beyond fair wear and tear.",
    "Use": "The Premises shall be used as a design studio and for no other purpose without the "
    "prior written consent of the Landlord, which shall not be unreasonably withheld.",
    "Repairs": "The Landlord shall keep the roof, the outer walls and the heating in good repair. "
    "The Tenant shall keep the interior in good repair and shall indemnify the Landlord against "
    "damage caused by its staff or visitors.",
    "Assignment": "The Tenant shall not assign this Agreement or sublet the Premises, in whole or "
    "in part, without the prior written consent of the Landlord.",
    "Governing law": "This Agreement shall be governed by the laws of England. It is the entire "
    "agreement between the parties; if any provision is held invalid, the remaining provisions "
    "shall continue in force.",
}

MEMO = """\
À partir du 1er juin, les déplacements de moins de 600 kilomètres se feront en train. L'avion \
reste possible si le trajet en train dure plus de six heures ou si une correspondance de nuit est \
nécessaire ; l'accord du chef de service est alors demandé par écrit avant la réservation.

Les billets sont réservés au moins dix jours à l'avance auprès du secrétariat (poste 214). Les \
notes de frais, avec les justificatifs, sont à remettre dans les trente jours qui suivent le \
retour. Passé ce délai, elles ne pourront plus être remboursées dans l'année.

Le plafond pour une nuit d'hôtel passe de 110 à 125 euros, petit déjeuner compris. Les réunions \
d'une demi-journée avec les équipes de Nantes et de Liège se tiennent désormais en \
visioconférence, sauf exception justifiée.

Merci de transmettre cette note à vos équipes. Une réunion d'information aura lieu le jeudi 21 mai \
à 14 heures, salle Mistral."""


def contract() -> bytes:
    """A lease of office space as DOCX."""
    from docx import Document

    document = Document()
    document.core_properties.created = document.core_properties.modified = WRITTEN
    document.add_heading("LEASE AGREEMENT", 0)
    for paragraph in PREAMBLE.split("\n\n"):
        document.add_paragraph(paragraph)
    for number, (title, clause) in enumerate(CLAUSES.items(), 1):
        document.add_heading(f"{number}. {title}", 2)
        document.add_paragraph(clause)
    document.add_paragraph(
        "IN WITNESS WHEREOF the parties hereto have executed this Agreement as of the date first "
        "written above."
    )
    table = document.add_table(rows=2, cols=2)
    table.cell(0, 0).text = "For the Landlord"
    table.cell(0, 1).text = "For the Tenant"
    table.cell(1, 0).text = "Signed: ____________________\nName: Gareth Pell\nTitle: Director"
    table.cell(1, 1).text = "Signed: ____________________\nName: Yuki Arden\nTitle: Partner"
    written = io.BytesIO()
    document.save(written)
    return without_clock(written.getvalue())


def memo() -> bytes:
    """A French internal memo as DOCX."""
    from docx import Document

    document = Document()
    document.core_properties.created = document.core_properties.modified = WRITTEN
    document.add_heading("NOTE DE SERVICE", 0)
    for name, value in {
        "À": "tous les chefs de service",
        "De": "Hélène Vasseur, direction administrative",
        "Date": "4 mai 2026",
        "Objet": "Nouvelles règles pour les déplacements professionnels",
    }.items():
        line = document.add_paragraph()
        line.add_run(f"{name} : ").bold = True
        line.add_run(value)
    for paragraph in MEMO.split("\n\n"):
        document.add_paragraph(paragraph)
    written = io.BytesIO()
    document.save(written)
    return without_clock(written.getvalue())


def report() -> bytes:
    """A quarterly report of a museum as XLSX, with a sheet of text and a sheet of figures."""
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.styles import Font  # type: ignore[import-untyped]

    book = Workbook()
    book.properties.created = WRITTEN.replace(tzinfo=None)
    summary = book.worksheets[0]
    summary.title = "Summary"
    text: list[list[str]] = [
        ["Museum of Tides: Quarterly Report, Q1 2026"],
        ["Prepared for the Board of Trustees, 9 April 2026"],
        [],
        ["Executive summary"],
        ["This report summarizes visitors, income and costs from January to March 2026."],
        ["Visitors increased by 12% compared to the first quarter of the previous year."],
        ["Income from the shop fell by 4%, mainly because of the works at the entrance."],
        [],
        ["Key findings"],
        ["1. The exhibition on lighthouses accounts for two thirds of the increase."],
        ["2. School groups have returned to the level of 2019."],
        ["3. Energy costs were 9% lower than forecast."],
        [],
        ["Recommendations"],
        ["Extend the exhibition until September, and review prices in the shop."],
        ["Conclusion: the targets for the fiscal year can be reached."],
    ]
    for line in text:
        summary.append(line)
    for cell in ("A1", "A4", "A9", "A14"):
        summary[cell].font = Font(bold=True, size=14 if cell == "A1" else 11)
    summary.column_dimensions["A"].width = 90
    figures = book.create_sheet("Figures")
    for row in (
        ["Table 1", "January", "February", "March", "Q1 2026", "Q1 2025"],
        ["Visitors", 4210, 5038, 6144, 15392, 13743],
        ["School groups", 31, 44, 52, 127, 118],
        ["Income, tickets", 30312, 36274, 44237, 110823, 98950],
        ["Income, shop", 8120, 8904, 10377, 27401, 28543],
        ["Energy costs", 9120, 8433, 6910, 24463, 26870],
    ):
        figures.append(row)
    written = io.BytesIO()
    book.save(written)
    return without_clock(written.getvalue())


def without_clock(packed: bytes) -> bytes:
    """The same archive without the times at which its parts were written."""
    moment = WRITTEN.strftime("%Y-%m-%dT%H:%M:%SZ").encode("ascii")
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(written, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, data)
            part = zipfile.ZipInfo(name, WRITTEN.timetuple()[:6])
            part.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(part, data)
    return written.getvalue()
