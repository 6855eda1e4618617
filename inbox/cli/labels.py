"""Commands on labels: stored label sets, and corrections."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from inbox.cli.base import AsJson, app, counted, printable, say, say_json, settings
from inbox.cli.jobs import JobId
from inbox.cli.show import show_job
from inbox.errors import FileNotFound, InvalidLabels
from inbox.model import Job
from inbox.service import Inbox
from inbox.store.labels import dump_label

LONGEST_FILE_BYTES = 4 * 1024 * 1024
SetName = Annotated[str, typer.Argument(metavar="NAME", help="The label set's name.")]
labels_app = typer.Typer(help="Lists of labels that are stored under a name.", no_args_is_help=True)
app.add_typer(labels_app, name="labels")


@labels_app.command("put")
def put(
    name: SetName,
    labels: Annotated[
        str,
        typer.Argument(
            metavar="LABELS", help="A JSON file; or names with commas between them, or JSON."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Store a list of labels, in place of one that has the name."""
    from inbox.classify import parse_labels

    chosen = parse_labels(_text(labels))
    with Inbox(settings()) as inbox:
        stored = inbox.put_label_set(name, chosen)
    if as_json:
        say_json({"name": stored.name, "labels": len(stored.labels)})
    else:
        say(f"{printable(stored.name)}: {counted(len(stored.labels), 'label')}")


@labels_app.command("list")
def list_sets(as_json: AsJson = False) -> None:
    """List the stored label sets."""
    with Inbox(settings()) as inbox:
        found = inbox.label_sets()
    if as_json:
        say_json([{"name": each.name, "labels": len(each.labels)} for each in found], indent=2)
        return
    for each in found:
        say(f"{printable(each.name)}: {counted(len(each.labels), 'label')}")


@labels_app.command("show")
def show(name: SetName) -> None:
    """Print a label set as JSON, as `put` takes it."""
    with Inbox(settings()) as inbox:
        stored = inbox.label_set(name)
    say_json([dump_label(label) for label in stored.labels], indent=2)


@labels_app.command("delete")
def delete(name: SetName, as_json: AsJson = False) -> None:
    """Forget a label set. Jobs keep the labels that they were sent with."""
    with Inbox(settings()) as inbox:
        inbox.delete_label_set(name)
    if as_json:
        say_json({"name": name, "deleted": True})
    else:
        say(f"{printable(name)}: deleted")


@app.command()
def correct(
    job_id: JobId,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Its number in the job, or its id.")],
    label: Annotated[
        str | None, typer.Argument(metavar="LABEL", help="What it is: one of the job's labels.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who says so; your user name if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a file is. With no label, take back what was said.

    Who said so and when is kept.
    """
    with Inbox(settings()) as inbox:
        found = _file(inbox.get(job_id), file)
        job = inbox.correct(job_id, found, label, by or getpass.getuser())
    if as_json:
        say_json(job.model_dump(mode="json"), indent=2)
    else:
        show_job(job)


def _file(job: Job, wanted: str) -> UUID:
    for result in job.result.results if job.result is not None else ():
        if wanted in {str(result.number), str(result.file_id)}:
            return result.file_id
    raise FileNotFound("the job has no such file, or none of its files is over yet")


def _text(labels: str) -> str:
    try:
        path = Path(labels)
        if not path.is_file():
            return labels
        if path.stat().st_size > LONGEST_FILE_BYTES:
            raise InvalidLabels("the file of labels is too large")
        return path.read_text("utf-8")
    except (OSError, ValueError):
        return labels
