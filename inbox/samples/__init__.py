"""Sample documents for the demo: invented people, real formats, made by script.

They are what an inbox gets on an ordinary day: several languages, a scan, a photograph, mail with
an attachment, a PDF under a wrong name, one that is broken and one that is locked.
"""

from __future__ import annotations

from pathlib import Path

from inbox.model import Value
from inbox.samples import business, camera, mail, office, personal, reading
from inbox.samples.sheet import pdf

__all__ = ["Sample", "write_samples"]


class Sample(Value):
    """A document that was written.

    Attributes:
        path: where it is.
        label: the default label that is right for it; None where it cannot be read.
        error_code: the error that reading it must end with; None where it can be read.
    """

    path: Path
    label: str | None = None
    error_code: str | None = None


def write_samples(folder: Path) -> list[Sample]:
    """Write the sample documents into `folder`, which is made if need be.

    Files of the same names are replaced. Every call writes the same bytes.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for name, label, error_code, content in _contents():
        path = folder / name
        path.write_bytes(content)
        samples.append(Sample(path=path, label=label, error_code=error_code))
    return samples


def _contents() -> list[tuple[str, str | None, str | None, bytes]]:
    """Name, label, error code and bytes of each document."""
    invoice = pdf([business.invoice()], title="Rechnung 2026-0417")
    cut_off = invoice[:200].ljust(len(invoice), b"\0")  # space was made, the bytes never came
    locked = pdf([business.invoice()], password="not in any list")  # noqa: S106 - nobody opens it
    return [
        ("Rechnung_2026-0417.pdf", "invoice", None, invoice),
        ("scan_20260312_0001.pdf", "letter", None, camera.scan(business.letter())),
        ("IMG_2093.jpg", "receipt", None, camera.photograph(business.receipt())),
        ("Office lease - final (2).docx", "contract", None, office.contract()),
        ("Re_ Programa de las jornadas.eml", "email", None, mail.message()),
        ("umsaetze-2026-03.csv", "bank_statement", None, mail.statement()),
        ("CV Amara Oduya.pdf", "resume", None, pdf([personal.resume()], title="Amara Oduya")),
        ("note-de-service-14.docx", "memo", None, office.memo()),
        ("library card.pdf", "form", None, pdf([personal.form()])),
        ("paper07.txt", "scientific_article", None, pdf([reading.article()])),
        ("ferry.html", "news_article", None, reading.NEWS.encode("utf-8")),
        ("Q1_2026.xlsx", "report", None, office.report()),
        ("ausweis vorn.png", "identity_document", None, camera.picture(personal.identity_card())),
        ("Rechnung_2026-0418.pdf", None, "corrupt_file", cut_off),
        ("confidential.pdf", None, "encrypted_file", locked),
    ]
