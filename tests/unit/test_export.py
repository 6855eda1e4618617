"""Results as tables: what was found is in them, and nothing in them is run."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from uuid import uuid4

import openpyxl
import pandas as pd
import pytest

from inbox.export import ExportFormat, export
from inbox.model import Evidence, FileResult, FileStatus, Job, JobResult, JobStatus

EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1", "  =1", '=cmd|" /C calc"!A0']


def job_of(names: list[str]) -> Job:
    """A finished job with files of these names."""
    now = datetime.now(UTC)
    files = tuple(
        FileResult(
            file_id=uuid4(),
            number=number,
            filename=name,
            status=FileStatus.COMPLETED,
            label="=label",
            confidence=0.5,
            evidence=(Evidence(quote="=quote", page=2),),
            pages=3,
        )
        for number, name in enumerate(names, 1)
    )
    result = JobResult(total_files=len(files), successful=len(files), failed=0, results=files)
    return Job(
        job_id=uuid4(),
        status=JobStatus.COMPLETED,
        progress=100,
        created_at=now,
        updated_at=now,
        total_files=len(files),
        processed_files=len(files),
        result=result,
    )


@pytest.mark.parametrize("wanted", [ExportFormat.CSV, ExportFormat.XLSX])
def test_nothing_is_a_formula(wanted: ExportFormat) -> None:
    """Text that would be one is text: with an apostrophe in CSV, by its type in Excel."""
    body = export([job_of(EVIL)], wanted)
    if wanted == ExportFormat.CSV:
        rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
        assert [row["filename"] for row in rows] == ["'" + name for name in EVIL]
        assert {row["label"] for row in rows} == {"'=label"}
        return
    sheet = openpyxl.load_workbook(io.BytesIO(body)).active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert "f" not in {cell.data_type for cell in cells}
    shown = {str(cell.value) for cell in cells if cell.data_type == "s"}
    assert {"=1+1", "@SUM(A1)", "=label"} <= shown


@pytest.mark.parametrize("wanted", list(ExportFormat))
def test_every_format_holds_the_same(wanted: ExportFormat) -> None:
    """A row for each file, with numbers as numbers and names as they are."""
    job = job_of(["Größe.pdf", "b, c.txt"])
    body = export([job], wanted)
    if wanted == ExportFormat.JSONL:
        rows = [json.loads(line) for line in body.decode().splitlines()]
    else:
        read = {
            ExportFormat.CSV: pd.read_csv,
            ExportFormat.XLSX: pd.read_excel,
            ExportFormat.PARQUET: pd.read_parquet,
        }[wanted]
        rows = read(io.BytesIO(body)).to_dict("records")
    assert [row["filename"] for row in rows] == ["Größe.pdf", "b, c.txt"]
    assert [(row["confidence"], row["pages"]) for row in rows] == [(0.5, 3)] * 2
    assert {row["job_id"] for row in rows} == {str(job.job_id)}
    assert rows[0]["evidence"] == "p. 2: =quote"


@pytest.mark.parametrize("wanted", list(ExportFormat))
def test_a_job_without_results_is_an_empty_table(wanted: ExportFormat) -> None:
    """Before the first file is over there are no rows, and no error."""
    job = job_of([]).model_copy(update={"result": None})
    body = export([job], wanted)
    if wanted == ExportFormat.CSV:
        assert len(body.decode().splitlines()) == 1
    assert b"filename" in body or wanted in {ExportFormat.XLSX, ExportFormat.JSONL}
