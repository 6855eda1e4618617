"""`inbox watch-folder`: submits what arrives in a folder, and files it by its label.

Nothing needs to be remembered between runs: the id of a file's job is derived from the folder's
own id, the file's place, time and content, and the same id is the same job. So a file that was
submitted before a crash is found again, not submitted twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NamedTuple
from uuid import UUID, uuid4, uuid5

import typer

from inbox.cli.base import AsJson, LabelsText, app, note, printable, say, say_json, settings
from inbox.cli.jobs import send
from inbox.digests import sha256_of
from inbox.errors import InvalidRequest, JobNotFound, RequestError, TransientError
from inbox.model import FileStatus, Job, Label, Problem
from inbox.names import display_name
from inbox.service import Inbox
from inbox.settings import Settings

MARK = ".inbox-watch"
FILED = "filed"
REVIEW, FAILED = "to review", "failed"
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", "~")
POLL_SECONDS = 0.5


class Look(NamedTuple):
    """A file as it was last seen; `since` says from when on it has been so."""

    size: int
    changed: int
    since: float


@app.command("watch-folder")
def watch_folder(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder.", exists=True, file_okay=False),
    ],
    labels: LabelsText = None,
    settle: Annotated[
        float,
        typer.Option(min=0, help="Seconds that a file must stay unchanged to count as whole."),
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Stop when everything that is there is filed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Submit what arrives in a folder, and file it by its label.

    It moves to filed/LABEL, with what was found beside it as JSON.
    """
    from inbox.classify import parse_labels

    chosen = parse_labels(labels) if labels else None
    used = settings()
    _check_apart(folder, used)
    with Inbox(used) as inbox, _alone(folder) as own_id, _stop_on_signal() as stop:
        watcher = Watcher(inbox, folder, own_id, chosen, settle=settle, as_json=as_json)
        if not as_json:
            note(f"watching {printable(str(folder))}; Ctrl-C stops")
        while not stop.is_set():
            with suppress(TransientError):  # the next look may find it back
                watcher.look()
                if once and watcher.idle:
                    break
            stop.wait(POLL_SECONDS)


class Watcher:
    """Submits and files what is in one folder.

    Args:
        inbox: where it is submitted.
        folder: what is watched.
        own_id: the folder's own id.
        labels: what to choose from; None for the default set.
        settle: seconds that a file must stay unchanged.
        as_json: whether each filed file is told of in JSON.
    """

    def __init__(
        self,
        inbox: Inbox,
        folder: Path,
        own_id: UUID,
        labels: tuple[Label, ...] | None,
        *,
        settle: float,
        as_json: bool,
    ) -> None:
        self._inbox, self._folder, self._own_id = inbox, folder, own_id
        self._labels, self._settle, self._as_json = labels, settle, as_json
        self._seen: dict[Path, Look] = {}
        self._jobs: dict[Path, UUID] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be filed."""
        return not self._seen and not self._jobs

    def look(self) -> None:
        """Submit the files that are whole, and file those whose job is over.

        Raises:
            TransientError: a service is away; a later look goes on.
        """
        here = {path: look for path in self._files() if (look := self._looked_at(path))}
        self._seen = {path: look for path, look in here.items() if path not in self._jobs}
        for path, look in list(self._seen.items()):
            if time.monotonic() - look.since >= self._settle:
                self._submit(path, look)
        for path, job_id in list(self._jobs.items()):
            if path not in here:
                del self._jobs[path]  # somebody took it away
            elif (job := self._inbox.get(job_id)).status.terminal:
                self._file(path, job)

    def _files(self) -> Iterator[Path]:
        for parent, folders, names in os.walk(self._folder):
            top = Path(parent) == self._folder
            folders[:] = [
                name for name in folders if not (name.startswith(".") or (top and name == FILED))
            ]
            for name in names:
                if not name.startswith(".") and not name.endswith(UNFINISHED):
                    yield Path(parent, name)

    def _looked_at(self, path: Path) -> Look | None:
        try:
            found = path.stat()
        except OSError:
            return None
        before = self._seen.get(path)
        if before and (before.size, before.changed) == (found.st_size, found.st_mtime_ns):
            return before
        return Look(found.st_size, found.st_mtime_ns, time.monotonic())

    def _submit(self, path: Path, look: Look) -> None:
        del self._seen[path]
        try:
            job_id = uuid5(self._own_id, f"{self._place(path)}\n{look.changed}\n{_sha256(path)}")
            with suppress(JobNotFound):
                self._inbox.get(job_id)
                self._jobs[path] = job_id
                return
            send(self._inbox, [path], self._labels, job_id=job_id)
            self._jobs[path] = job_id
        except RequestError as error:
            problem = Problem(code=error.code, message=str(error))
            self._move(path, FAILED, {"error": problem.model_dump()})

    def _file(self, path: Path, job: Job) -> None:
        results = () if job.result is None else job.result.results
        first = results[0] if results else None
        if first is None or first.status is not FileStatus.COMPLETED:
            folder = FAILED
        elif first.needs_review or first.label is None:
            folder = REVIEW
        else:
            folder = display_name(first.label).replace("/", "_").lstrip(".") or REVIEW
        said = {
            "job_id": str(job.job_id),
            "files": [each.model_dump(mode="json") for each in results],
        }
        self._move(path, folder, said)
        self._jobs.pop(path, None)

    def _move(self, path: Path, folder: str, said: dict[str, Any]) -> None:
        """Write what is known beside the file's new place, then move the file there."""
        target = self._folder / FILED / folder
        target.mkdir(parents=True, exist_ok=True)
        free = _free(target, path.name)
        beside = free.with_name(f"{free.name}.json")
        part = target / f".{beside.name}.part"
        part.write_text(json.dumps(said, ensure_ascii=False, indent=2))
        part.replace(beside)
        path.rename(free)
        where = free.relative_to(self._folder)
        if self._as_json:
            say_json({"file": self._place(path), "filed": str(where), **said})
        else:
            say(printable(f"{self._place(path)} -> {where}"))

    def _place(self, path: Path) -> str:
        return str(path.relative_to(self._folder))


def _check_apart(folder: Path, used: Settings) -> None:
    for home in (used.data_dir, used.blobs_folder):
        if home.resolve().is_relative_to(folder.resolve()):
            raise InvalidRequest("the folder holds INBOX_DATA_DIR; watch another")


def _free(folder: Path, name: str) -> Path:
    """A path in the folder at which nothing is."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - "a.tar.gz" is "a.tar" and ".gz"
    number = 1
    path = folder / name
    while path.exists():
        number += 1
        path = folder / f"{stem} ({number}){suffix}"
    return path


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as failure:
        raise InvalidRequest(f"a file cannot be read: {failure.strerror}") from None


@contextmanager
def _alone(folder: Path) -> Iterator[UUID]:
    """The folder's own id, made the first time, while no other watcher is at it."""
    try:
        handle = os.open(folder / MARK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as failure:
        raise InvalidRequest(f"the folder cannot be written to: {failure.strerror}") from None
    with os.fdopen(handle, "r+") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InvalidRequest("another inbox watch-folder is at this folder") from None
        text = mark.read().strip()
        if not text:
            text = str(uuid4())
            mark.write(text)
            mark.flush()
            os.fsync(mark.fileno())
        yield UUID(text)


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM: the step under way is finished first."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
