"""A job's results as a table: CSV, Excel, Parquet, JSON Lines.

Names and quotes come from strangers' documents. A spreadsheet takes a cell that begins with one of
a few signs for a formula, so in CSV such text gets an apostrophe in front, as OWASP advises; in
Excel files every text is written as text; the other two formats have no formulas.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from inbox.model import FileResult, Job

if TYPE_CHECKING:
    import pandas as pd

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MOST_CELL_CHARACTERS = 32_767  # Excel's limit
TYPES = {
    "job_id": "string",
    "number": "Int64",
    "file_id": "string",
    "parent_id": "string",
    "filename": "string",
    "status": "string",
    "label": "string",
    "corrected_label": "string",
    "confidence": "Float64",
    "needs_review": "boolean",
    "review_reasons": "string",
    "evidence": "string",
    "classifier": "string",
    "media_type": "string",
    "size": "Int64",
    "pages": "Int64",
    "ocr_pages": "Int64",
    "text_length": "Int64",
    "processing_time": "Float64",
    "details": "string",
    "error_code": "string",
    "error_message": "string",
}


class ExportFormat(StrEnum):
    """How a table is written."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"
    JSONL = "jsonl"

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return {
            ExportFormat.CSV: "text/csv; charset=utf-8",
            ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ExportFormat.PARQUET: "application/vnd.apache.parquet",
            ExportFormat.JSONL: "application/jsonl",
        }[self]


def export(jobs: Iterable[Job], wanted: ExportFormat) -> bytes:
    """The results of jobs as a file: a row for each file, in order.

    Args:
        jobs: whose results.
        wanted: how they are written.
    """
    table = _table(jobs)
    if wanted == ExportFormat.JSONL:
        return table.to_json(orient="records", lines=True, force_ascii=False).encode()
    if wanted == ExportFormat.CSV:
        return _defused(table).to_csv(index=False, lineterminator="\r\n").encode()
    return _excel(table) if wanted == ExportFormat.XLSX else _parquet(table)


def _table(jobs: Iterable[Job]) -> pd.DataFrame:
    import pandas as pd

    rows = [_row(job, file) for job in jobs if job.result for file in job.result.results]
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def _row(job: Job, file: FileResult) -> dict[str, Any]:
    row = {name: getattr(file, name) for name in TYPES if hasattr(file, name)}
    details = file.details.model_dump(mode="json", exclude_none=True)
    return row | {
        "job_id": str(job.job_id),
        "file_id": str(file.file_id),
        "parent_id": file.parent_id and str(file.parent_id),
        "status": file.status.value,
        "review_reasons": "; ".join(file.review_reasons),
        "evidence": "\n".join(f"p. {each.page}: {each.quote}" for each in file.evidence),
        "details": json.dumps(details, ensure_ascii=False) if details else None,
    }


def _defused(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    for name in table.columns[table.dtypes == "string"]:
        column = table[name]
        suspect = column.str.lstrip(" ").str.startswith(FORMULA_SIGNS).fillna(value=False)
        table[name] = column.mask(suspect, "'" + column)
    return table


def _excel(table: pd.DataFrame) -> bytes:
    import pandas as pd

    for name in table.columns[table.dtypes == "string"]:
        table[name] = table[name].str.slice(0, MOST_CELL_CHARACTERS)
    as_text = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    file = io.BytesIO()
    with pd.ExcelWriter(file, engine="xlsxwriter", engine_kwargs={"options": as_text}) as writer:
        table.to_excel(writer, sheet_name="results", index=False, freeze_panes=(1, 0))
        sheet = writer.sheets["results"]
        sheet.autofilter(0, 0, max(len(table), 1), len(table.columns) - 1)
        sheet.autofit(max_width=400)
    return file.getvalue()


def _parquet(table: pd.DataFrame) -> bytes:
    file = _Kept()
    table.to_parquet(file, engine="fastparquet", index=False)
    return file.getvalue()


class _Kept(io.BytesIO):
    """Bytes that can still be read when the writer has closed the file."""

    def close(self) -> None:
        """Stay open."""
