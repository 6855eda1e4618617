"""Jobs and results as tables for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inbox.advice import remedy
from inbox.cli.base import printable
from inbox.model import FileResult, FileStatus, Job, JobSummary

STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "processing": "cyan",
    "pending": "dim",
}
FILE_WIDTH = 160


def output() -> Console:
    """Standard output; wide where it goes to a file, which has no edge to wrap at."""
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)


def show_job(job: Job, console: Console | None = None) -> None:
    """Print a job's results as a table, and one line that sums up."""
    console = console or output()
    if job.result is not None:
        console.print(results_table(job.result.results))
        failed = {one.error_code for one in job.result.results if one.error_code is not None}
        for code in sorted(failed):
            console.print(Text(f"{code}: {remedy(code)}", style="red"), soft_wrap=True)
    parts = [f"job {job.job_id}: {job.status.value}"]
    if job.result is not None:
        parts.append(f"{job.result.successful} of {job.total_files} files completed")
        if job.result.failed:
            parts.append(f"{job.result.failed} failed")
        if job.result.processing_time is not None:
            parts.append(f"{job.result.processing_time:.1f} s")
    console.print(Text(", ".join(parts), style=STYLES[job.status.value]), soft_wrap=True)
    if job.error is not None:
        text = f"{job.error.code}: {printable(job.error.message)}"
        console.print(Text(text, style="red"), soft_wrap=True)


def results_table(results: Iterable[FileResult]) -> Table:
    """One row a file."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("#", "file", "status", "label", "conf.", "pages", "ocr", "review or error"):
        right = column in {"#", "conf.", "pages", "ocr"}
        wraps = column in {"file", "review or error"}
        table.add_column(
            column, justify="right" if right else "left", overflow="fold", no_wrap=not wraps
        )
    for result in results:
        table.add_row(
            str(result.number),
            Text(printable(result.filename)),
            Text(result.status.value, style=STYLES[result.status.value]),
            Text(printable(result.corrected_label or result.label or "-")),
            "" if result.confidence is None else f"{result.confidence:.2f}",
            "" if result.pages is None else str(result.pages),
            "" if not result.ocr_pages else str(result.ocr_pages),
            _remark(result),
        )
    return table


def jobs_table(jobs: Iterable[JobSummary]) -> Table:
    """One row a job."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("job", "status", "progress", "files", "created", "error"):
        table.add_column(column, no_wrap=column == "job")
    for job in jobs:
        table.add_row(
            str(job.job_id),
            Text(job.status.value, style=STYLES[job.status.value]),
            f"{job.progress} %",
            f"{job.processed_files}/{job.total_files}",
            job.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            "" if job.error is None else job.error.code,
        )
    return table


def _remark(result: FileResult) -> Text:
    if result.status is FileStatus.FAILED:
        return Text(result.error_code or "failed", style="red")
    if result.corrected_label is not None:
        return Text("checked", style="green")
    if result.needs_review:
        reasons = ", ".join(result.review_reasons)
        return Text(printable(f"review: {reasons}" if reasons else "review"), style="yellow")
    if result.details.children:
        return Text(f"{result.details.children} inside")
    return Text("")
