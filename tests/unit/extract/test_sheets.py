"""Workbooks and CSV: no cell is lost, none runs into its neighbour."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart

from inbox.errors import CorruptFile, TooManyPages
from inbox.extract import archive, sheets, sniff
from inbox.extract.options import Options

OPTIONS = Options()


def texts(data: bytes, options: Options = OPTIONS) -> list[str]:
    """The text of each page."""
    return [page.text for page in sheets.read(data, options)]


def workbook(*rows: tuple[Any, ...], name: str = "Sheet") -> bytes:
    """A workbook of one sheet."""
    made, out = openpyxl.Workbook(), io.BytesIO()
    made.active.title = name
    for row in rows:
        made.active.append(row)
    made.save(out)
    return out.getvalue()


def test_sheets_are_pages() -> None:
    """A workbook has a page for each sheet, with its name and its rows."""
    made, out = openpyxl.Workbook(), io.BytesIO()
    made.active.title = "Expenses"
    for row in (("What", "How much"), ("Rent", 900), ("Heat", 120.5)):
        made.active.append(row)
    made.create_sheet("Income").append(("Salary", 2500))
    made.create_chartsheet("Picture").add_chart(BarChart())
    made.save(out)
    assert sniff.media_type(out.getvalue()) == archive.XLSX
    assert texts(out.getvalue()) == [
        "Expenses\nWhat\tHow much\nRent\t900\nHeat\t120.5",
        "Income\nSalary\t2500",
    ]
    with pytest.raises(TooManyPages):
        sheets.read(out.getvalue(), Options(max_pages=1))


def test_no_cell_is_taken_for_an_empty_one() -> None:
    """What some libraries read as a missing value is a word like any other."""
    words = ["NA", "N/A", "null", "None", "nan", "#REF!", "0012"]
    (text,) = texts(workbook(("Code", "Country"), *[(word, "x") for word in words]))
    assert text.splitlines()[2:] == [f"{word}\tx" for word in words]
    lines = "".join(f"{word},x\n" for word in words)
    assert texts(f"Code,Country\n{lines}".encode())[0].splitlines()[1:] == [
        f"{word}\tx" for word in words
    ]


def test_a_line_break_in_a_cell_parts_words() -> None:
    """In sheets and in CSV; a backslash that is written there stays one."""
    rows = ("Trading\noperating profit", r"C:\new\table"), (12553, 2713)
    expected = ["Trading operating profit\tC:\\new\\table", "12553\t2713"]
    assert texts(workbook(*rows))[0].splitlines()[1:] == expected
    data = b'"Trading\noperating profit",C:\\new\\table\n12553,2713\nNA,1\n'
    assert texts(data)[0].splitlines() == [*expected, "NA\t1"]


def test_values_are_shown_as_in_a_spreadsheet() -> None:
    """Numbers without the noise of their storage, days without a time of day."""
    day, moment = dt.datetime(2024, 5, 6), dt.datetime(2024, 5, 6, 7, 8)  # noqa: DTZ001
    (text,) = texts(workbook((0.1 + 0.2, 12.0, True, day, moment)))
    assert text.splitlines()[1] == "0.3\t12\tTRUE\t2024-05-06\t2024-05-06 07:08:00"


def test_a_sheet_that_lies_about_its_size_is_read_whole() -> None:
    """The rows count, not what the sheet says of them."""
    source, out = io.BytesIO(workbook(("a", "b"), (1, 2), (3, 4))), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'ref="A1:B3"', b'ref="A1"'))
    assert texts(out.getvalue()) == ["Sheet\na\tb\n1\t2\n3\t4"]


def test_a_damaged_workbook_is_corrupt() -> None:
    """One whose inner markup is broken does not open."""
    source, out = io.BytesIO(workbook(("a",))), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            broken = name.startswith("xl/worksheets/")
            new.writestr(name, b"<worksheet" if broken else old.read(name))
    with pytest.raises(CorruptFile):
        sheets.read(out.getvalue(), OPTIONS)


def test_markdown_has_a_table_for_each_sheet() -> None:
    """With the name of the sheet as its heading; a CSV file is one table."""
    options = Options(shape="markdown")
    (text,) = texts(workbook(("What", "How much"), ("Rent", 900), name="Costs"), options)
    assert text == "# Costs\n\n| What | How much |\n|---|---|\n| Rent | 900 |"
    (text,) = texts(b"a,b\n1,2\n3,4\n", options)
    assert text == "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |"


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_csv_is_read_row_by_row(mark: str) -> None:
    """Each row of a table is a line, whatever parts its cells."""
    rows = [["name", "amount"], ["rent", "900"], ["heat", "1,20" if mark != "," else "120"]]
    data = "".join(mark.join(row) + "\n" for row in rows).encode()
    assert sniff.media_type(data) == sniff.CSV
    assert texts(data)[0].splitlines() == ["\t".join(row) for row in rows]


def test_ragged_csv_is_read() -> None:
    """Rows of different lengths do not fail the file."""
    data = b"a,b,c\n" + b"1,2,3\n" * 20 + b"4,5,6,7,8\nlast,,\n"
    assert texts(data)[0].splitlines()[-2:] == ["4\t5\t6\t7\t8", "last"]


def test_csv_with_an_open_quote_keeps_its_words() -> None:
    """A cell that never ends is longer than any; then the text stands as it is."""
    data = b"a,b,c\n" + b"1,2,3\n" * 50 + b'"open,2,3\n' + b"4,5,6\n" * 40_000
    assert texts(data)[0].split("\n")[-1] == "4,5,6"
