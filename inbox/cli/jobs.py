"""Commands on jobs: submit, watch, cancel, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import typer

from inbox.blobs import Blobs, blob_key
from inbox.cli.base import (
    AsJson,
    LabelsText,
    Passwords,
    app,
    counted,
    note,
    say,
    say_json,
    settings,
)
from inbox.cli.follow import newest, watch_job
from inbox.cli.paths import found_files
from inbox.cli.show import jobs_table, output, show_job
from inbox.errors import (
    FileTooLarge,
    InvalidRequest,
    JobTooLarge,
    StoreUnavailable,
    TooManyFiles,
)
from inbox.model import Job, JobOptions, JobStatus, Label, Upload
from inbox.names import display_name
from inbox.service import Inbox
from inbox.settings import Settings

PIECE_BYTES = 1024 * 1024
JobId = Annotated[UUID, typer.Argument(metavar="JOB", help="The job's id.")]


@app.command()
def submit(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Files, folders to take all files from, patterns such as 'in/**/*.pdf', or - for "
            "a document on standard input.",
        ),
    ],
    labels: LabelsText = None,
    name: Annotated[
        str, typer.Option("--name", help="What the document on standard input is called.")
    ] = "stdin",
    password: Passwords = None,
    *,
    label_set: Annotated[
        str | None, typer.Option(metavar="NAME", help="Labels that `inbox labels put` stored.")
    ] = None,
    split: Annotated[
        bool, typer.Option("--split", help="Propose where a file holds several documents.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the job until it is over.")] = False,
    as_json: AsJson = False,
) -> None:
    """Queue files as one job."""
    from inbox.classify import parse_labels

    chosen = parse_labels(labels) if labels else None
    options = JobOptions(label_set=label_set, split=split or None)
    with found_files(paths, name) as files, Inbox(settings()) as inbox:
        job = send(inbox, files, chosen, password or (), options=options)
        if wait:
            if not as_json:
                note(f"job {job.job_id}: {counted(job.total_files, 'file')}")
            raise typer.Exit(watch_job(inbox, job.job_id, as_json=as_json))
    if as_json:
        say_json(job.model_dump(mode="json"), indent=2)
    else:
        say(f"job {job.job_id}: {counted(job.total_files, 'file')}, {job.status.value}")
        say(f"watch it: inbox watch {job.job_id}")


@app.command()
def watch(
    job_id: Annotated[
        UUID | None, typer.Argument(metavar="JOB", help="The job's id; the newest if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a job live until it is over. Ctrl-C stops the watching, not the job."""
    with Inbox(settings()) as inbox:
        raise typer.Exit(watch_job(inbox, job_id or newest(inbox), as_json=as_json))


@app.command()
def cancel(job_id: JobId, as_json: AsJson = False) -> None:
    """Ask for a job to be cancelled. One that is over stays as it is."""
    with Inbox(settings()) as inbox:
        job = inbox.cancel(job_id)
    if as_json:
        say_json(job.model_dump(mode="json"), indent=2)
    elif job.status.terminal:
        show_job(job)
    else:
        say(f"job {job_id}: will be cancelled as soon as its worker hears of it")


@app.command()
def retry(job_id: JobId, as_json: AsJson = False) -> None:
    """Try the failed and cancelled files of a job once more."""
    with Inbox(settings()) as inbox:
        job = inbox.retry(job_id)
    if as_json:
        say_json(job.model_dump(mode="json"), indent=2)
    elif job.status.terminal:
        say(f"job {job_id}: every file is completed, nothing to try again")
    else:
        say(f"job {job_id}: {job.status.value}; watch it: inbox watch {job_id}")


@app.command()
def delete(job_id: JobId, as_json: AsJson = False) -> None:
    """Forget a job that is over, with its files and results."""
    with Inbox(settings()) as inbox:
        inbox.delete(job_id)
    if as_json:
        say_json({"job_id": job_id, "deleted": True})
    else:
        say(f"job {job_id}: deleted")


@app.command()
def sweep(as_json: AsJson = False) -> None:
    """Remove stored files that belong to no job. Dispatch does so every hour."""
    with Inbox(settings()) as inbox:
        removed = inbox.sweep()
    if as_json:
        say_json({"removed": removed})
    else:
        say(f"files of {counted(removed, 'job')} removed")


@app.command()
def jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most jobs to list.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with Inbox(settings()) as inbox:
        found = inbox.list(status=status, limit=limit)
    if as_json:
        say_json([job.model_dump(mode="json") for job in found], indent=2)
    elif found:
        output().print(jobs_table(found))
    else:
        say("no jobs")


def send(
    inbox: Inbox,
    files: list[Path],
    labels: tuple[Label, ...] | None = None,
    passwords: Sequence[str] = (),
    job_id: UUID | None = None,
    *,
    options: JobOptions | None = None,
) -> Job:
    """Copy files into the blob store and queue them as one job.

    Args:
        inbox: where.
        files: which.
        labels: what to choose from; None for the default set.
        passwords: what opens locked ones.
        job_id: the id of a job that does not exist yet; a random one if not given.
        options: what is asked for; None for what the settings say.

    Raises:
        ConfigurationError: there are passwords, and no key to seal them with.
        TooManyFiles, FileTooLarge, JobTooLarge: more than the settings allow.
        InvalidRequest: a file cannot be read.
        BlobsUnavailable, NoSpace, StoreUnavailable: nothing was queued.
    """
    _check_sizes(files, inbox.settings)
    job_id = job_id or uuid4()
    sealed = inbox.seal(job_id, passwords)
    try:
        uploads = [
            _store(inbox.blobs, blob_key(job_id, number), path)
            for number, path in enumerate(files, start=1)
        ]
        return inbox.submit(job_id, uploads, labels, options=options, sealed=sealed)
    except StoreUnavailable:
        raise  # the row may have been written, so its files must stay
    except BaseException:
        inbox.blobs.delete_job(job_id)
        raise


def _check_sizes(files: list[Path], limits: Settings) -> None:
    if len(files) > limits.max_files:
        raise TooManyFiles(f"{len(files)} files; a job may have {limits.max_files} at most")
    sizes = [path.stat().st_size for path in files]
    for number, size in enumerate(sizes, start=1):
        if size > limits.max_file_bytes:
            raise FileTooLarge(
                f"file {number} has {size} bytes; one may have {limits.max_file_bytes} at most"
            )
    if sum(sizes) > limits.max_job_bytes:
        raise JobTooLarge(
            f"{sum(sizes)} bytes in all; a job may have {limits.max_job_bytes} at most"
        )


def _store(blobs: Blobs, key: str, path: Path) -> Upload:
    try:
        source = path.open("rb")
    except OSError as failure:
        raise InvalidRequest(f"a file cannot be read: {failure.strerror}") from None
    with source, blobs.create(key) as writer:
        while piece := source.read(PIECE_BYTES):
            writer.write(piece)
        return Upload(name=display_name(path.name), blob=writer.commit())
