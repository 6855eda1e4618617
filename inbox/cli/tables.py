"""`inbox export` and `inbox completion`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from inbox.cli.base import COMPLETE, PROGRAM, app, note, printable, settings
from inbox.cli.follow import newest
from inbox.errors import InvalidRequest
from inbox.export import ExportFormat
from inbox.export import export as as_table
from inbox.service import Inbox


class Shell(StrEnum):
    """The shells that complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def export(
    jobs: Annotated[
        list[UUID] | None,
        typer.Argument(metavar="JOB", help="The jobs' ids; the newest job if none is given."),
    ] = None,
    *,
    form: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="How it is written; by the file's ending if not given."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("-o", "--to", metavar="PATH", help="Where to write it.")
    ] = None,
) -> None:
    """Write the results of jobs as a table: a row for each file."""
    chosen = form or _by_ending(to)
    if to is None and chosen in {ExportFormat.XLSX, ExportFormat.PARQUET} and sys.stdout.isatty():
        raise InvalidRequest("this format is not for the screen; name a file with -o")
    with Inbox(settings()) as inbox:
        wanted = jobs or [newest(inbox)]
        body = as_table([inbox.get(job_id) for job_id in wanted], chosen)
    if to is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    part = to.with_name(f".{to.name}.part")
    try:
        part.write_bytes(body)
        part.replace(to)
    except OSError as failure:
        part.unlink(missing_ok=True)
        raise InvalidRequest(f"the table cannot be written: {failure.strerror}") from None
    note(f"written to {printable(str(to))}")


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print what makes a shell complete commands.

    For example: source <(inbox completion bash)
    """
    from typer.completion import (  # type: ignore[attr-defined]
        completion_init,
        shell_complete,
    )

    completion_init()
    shell_complete(typer.main.get_command(app), {}, PROGRAM, COMPLETE, f"source_{shell.value}")


def _by_ending(path: Path | None) -> ExportFormat:
    ending = "" if path is None else path.suffix.lstrip(".").lower()
    try:
        return ExportFormat(ending) if path is not None else ExportFormat.CSV
    except ValueError:
        known = ", ".join(each.value for each in ExportFormat)
        raise InvalidRequest(f"name a format with --format: {known}") from None
