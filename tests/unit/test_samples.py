"""The sample documents of the demo."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import itertools
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from docx import Document
from openpyxl import load_workbook
from PIL import Image

from inbox.classify import open_classifier
from inbox.errors import InboxError
from inbox.extract import Reader
from inbox.model import PageSource
from inbox.samples import Sample, business, personal, sheet, write_samples
from inbox.settings import Settings

SCANNED = {"scan_20260312_0001.pdf", "IMG_2093.jpg"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    """The samples by file name, written once."""
    folder = tmp_path_factory.mktemp("samples") / "new folder"
    return {sample.path.name: sample for sample in write_samples(folder)}


def text_of(data: bytes) -> list[str]:
    """The text layer of each page of a PDF."""
    document = pypdfium2.PdfDocument(data)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


def distance(one: str, other: str) -> int:
    """How many characters must be changed, added or dropped to make one text the other."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            change = before + (left != right)
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, change)
    return row[-1]


def test_every_label_but_other_and_two_errors(samples: dict[str, Sample]) -> None:
    """There is a document for each label of the default set, one broken and one locked."""
    assert sorted(sample.label for sample in samples.values() if sample.label) == [
        "bank_statement", "contract", "email", "form", "identity_document", "invoice", "letter",
        "memo", "news_article", "receipt", "report", "resume", "scientific_article",
    ]  # fmt: skip
    errors = [sample.error_code for sample in samples.values() if sample.error_code]
    assert sorted(errors) == ["corrupt_file", "encrypted_file"]
    assert all((sample.label is None) != (sample.error_code is None) for sample in samples.values())


def test_same_bytes_every_time(samples: dict[str, Sample], tmp_path: Path) -> None:
    """Writing again, over what is there, gives the same bytes."""
    (tmp_path / "ferry.html").write_text("old")
    for sample in write_samples(tmp_path):
        assert sample.path.read_bytes() == samples[sample.path.name].path.read_bytes(), sample


def test_reader_and_lexicon_get_them_right(samples: dict[str, Sample]) -> None:
    """Each is read and labelled as it says, without a doubt, or fails with its code."""
    settings = Settings(_env_file=None, classifier="lexicon")
    classifier = open_classifier(settings)
    with Reader(settings) as reader:
        for name, sample in samples.items():
            if sample.error_code:
                with pytest.raises(InboxError) as caught:
                    reader.read(sample.path)
                assert caught.value.code == sample.error_code, name
                continue
            document = reader.read(sample.path)
            found = classifier.classify(document)
            assert (found.label, found.needs_review) == (sample.label, False), name
            by_ocr = all(page.source is PageSource.OCR for page in document.pages)
            assert by_ocr == (name in SCANNED or name.endswith(".png")), name


@pytest.mark.parametrize(
    ("name", "sheets", "share"),
    [
        ("scan_20260312_0001.pdf", business.letter(), 0.01),
        ("IMG_2093.jpg", [business.receipt()], 0.08),
    ],
)
def test_pictures_are_readable(
    samples: dict[str, Sample], name: str, sheets: list[sheet.Sheet], share: float
) -> None:
    """OCR gets all but a small share of the characters that were drawn, page by page."""
    with Reader(Settings(_env_file=None)) as reader:
        read = reader.read(samples[name].path)
    drawn = text_of(sheet.pdf(sheets))
    assert len(read.pages) == len(drawn)
    for page, text in zip(read.pages, drawn, strict=True):
        wanted = " ".join(text.split())
        assert distance(" ".join(page.text.split()), wanted) <= share * len(wanted)


def test_card_is_readable(samples: dict[str, Sample]) -> None:
    """OCR finds nearly every word of the card, in whatever order it goes through the fields."""
    with Reader(Settings(_env_file=None)) as reader:
        read = set(reader.read(samples["ausweis vorn.png"].path).text.split())
    drawn = text_of(sheet.pdf([personal.identity_card()]))[0].split()
    assert sum(word in read for word in drawn) >= 0.9 * len(drawn)


def test_scan_has_no_text_layer(samples: dict[str, Sample]) -> None:
    """The scan is two pages of pictures and nothing else."""
    assert text_of(samples["scan_20260312_0001.pdf"].path.read_bytes()) == ["", ""]


def test_wrong_extension(samples: dict[str, Sample]) -> None:
    """One PDF says by its name that it is something else."""
    path = samples["paper07.txt"].path
    assert path.read_bytes().startswith(b"%PDF-")
    assert "Abstract" in text_of(path.read_bytes())[0]


def test_locked_pdf_is_locked(samples: dict[str, Sample]) -> None:
    """The locked PDF is a whole PDF, with a password."""
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(samples["confidential.pdf"].path)
    with pikepdf.open(samples["confidential.pdf"].path, password="not in any list") as document:
        assert len(document.pages) == 1


def test_mail_has_its_attachment(samples: dict[str, Sample]) -> None:
    """The e-mail carries a PDF that opens."""
    content = samples["Re_ Programa de las jornadas.eml"].path.read_bytes()
    mail = email.message_from_bytes(content, policy=email.policy.default)
    (attachment,) = mail.iter_attachments()
    assert attachment.get_filename() == "programa_v3.pdf"
    assert "Jornadas" in text_of(attachment.get_content())[0]


def test_statement_adds_up(samples: dict[str, Sample]) -> None:
    """Every balance of the bank statement is the one before plus the movement."""
    text = samples["umsaetze-2026-03.csv"].path.read_bytes().decode("cp1252")
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))[5:]
    cents = [[int(cell.replace(".", "").replace(",", "") or 0) for cell in row[3:]] for row in rows]
    for (_, before), (movement, after) in itertools.pairwise(cents):
        assert before + movement == after


def test_office_files_open(samples: dict[str, Sample]) -> None:
    """Word and Excel files open with the usual libraries and hold what they should."""
    lease = Document(str(samples["Office lease - final (2).docx"].path))
    assert lease.paragraphs[0].text == "LEASE AGREEMENT"
    memo = Document(str(samples["note-de-service-14.docx"].path))
    assert memo.paragraphs[0].text == "NOTE DE SERVICE"
    figures = load_workbook(samples["Q1_2026.xlsx"].path)["Figures"]
    for row in figures.iter_rows(min_row=2, values_only=True):
        assert sum(row[1:4]) == row[4]


def test_picture_of_the_card_is_a_card(samples: dict[str, Sample]) -> None:
    """The card has the shape of a card."""
    with Image.open(samples["ausweis vorn.png"].path) as picture:
        assert picture.width / picture.height == pytest.approx(85.6 / 54, rel=0.01)


def test_lines_are_wrapped_to_the_room() -> None:
    """A paragraph is broken between words, and no line is wider than its room."""
    text = "Gräfin Ödön von Überlingen, née Ångström, " * 9
    for font in sheet.Font:
        lines = sheet.wrap(text, font, 11, 200)
        assert " ".join(lines) == text.strip()
        assert all(sheet.width(line, font, 11) <= 200 for line in lines)
        assert len(lines) > 5


def test_special_characters_survive_the_pdf() -> None:
    """Brackets, backslashes, accents and the euro sign come back out of the text layer."""
    page = sheet.Sheet()
    page.text(50, 50, "a(b\\c) € ß é „x“ 50%")
    assert text_of(sheet.pdf([page])) == ["a(b\\c) € ß é „x“ 50%"]
