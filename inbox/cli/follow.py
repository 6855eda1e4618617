"""Watching a job until it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from rich.console import Console

from inbox.cli.base import Exit, note, say_json
from inbox.cli.show import show_job
from inbox.errors import JobNotFound, StoreUnavailable
from inbox.model import Job, JobStatus
from inbox.service import Inbox

POLL_SECONDS = 0.5
OUTAGE_SECONDS = 60.0


class View(Protocol):
    """Something that shows how a job goes on."""

    def update(self, job: Job) -> None:
        """Show the job's newest state."""
        ...


def watch_job(inbox: Inbox, job_id: UUID, *, as_json: bool) -> Exit:
    """Show a job live until it is over, then its results; the exit code for its outcome.

    An interruption stops the watching, not the job.

    Raises:
        JobNotFound: there is none.
        StoreUnavailable: the database has not answered for a minute.
    """
    try:
        if as_json:
            job = wait(inbox, job_id)
            say_json(job.model_dump(mode="json"), indent=2)
        else:
            with live() as view:
                job = wait(inbox, job_id, view)
            show_job(job)
    except KeyboardInterrupt:
        note(f"\nstopped watching; the job goes on. Watch again: inbox watch {job_id}")
        return Exit.INTERRUPTED
    return Exit.OK if job.status is JobStatus.COMPLETED else Exit.FAILED


def newest(inbox: Inbox) -> UUID:
    """The id of the newest job.

    Raises:
        JobNotFound: there is no job.
    """
    found = inbox.list(limit=1)
    if not found:
        raise JobNotFound("there is no job")
    return found[0].job_id


def wait(inbox: Inbox, job_id: UUID, view: View | None = None) -> Job:
    """Ask for a job until it is over.

    Raises:
        JobNotFound: there is none.
        StoreUnavailable: the database has not answered for a minute.
    """
    heard = time.monotonic()
    while True:
        try:
            job = inbox.get(job_id)
            heard = time.monotonic()
        except StoreUnavailable:
            if time.monotonic() - heard > OUTAGE_SECONDS:
                raise
        else:
            if view is not None:
                view.update(job)
            if job.status.terminal:
                return job
        time.sleep(POLL_SECONDS)


@contextmanager
def live() -> Iterator[View]:
    """A progress bar on a terminal; a line a change elsewhere."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[files]}"),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
        console=console,
    )

    class Bar:
        def __init__(self) -> None:
            self._task: TaskID = progress.add_task("waiting", total=100, files="", left="")

        def update(self, job: Job) -> None:
            progress.update(
                self._task,
                completed=job.progress,
                description=job.status.value,
                files=f"{job.processed_files}/{job.total_files} files",
                left=remark(job),
            )

    with progress:
        yield Bar()


def remark(job: Job) -> str:
    """Why the job does not move, or how long it may still take."""
    return time_left(job) if job.stuck is None else job.stuck.message


def time_left(job: Job) -> str:
    """How long the job may still take, for people; empty where that is not known."""
    seconds = job.estimated_seconds_left
    if seconds is None or job.status.terminal:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}:{rest:02} left"


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def update(self, job: Job) -> None:
        files = f"{job.processed_files}/{job.total_files} files"
        line = f"{job.status.value} {job.progress} % {files}"
        if job.stuck is not None:
            line += f" ({job.stuck.message})"
        if line != self._last:
            note(line)
            self._last = line
