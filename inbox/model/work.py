"""What a worker is given, and what it hands back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from inbox.model.findings import Label
from inbox.model.submissions import JobOptions
from inbox.model.values import Blob, Problem, Row, Value


class File(Row):
    """A file of a claimed job that still wants work.

    Attributes:
        parent_id: the file that this one was found in.
        depth: how many files lie around it.
    """

    id: UUID
    number: int
    name: str
    blob: Blob
    parent_id: UUID | None = None
    depth: int = 0


class Child(Value):
    """A file that was found inside another.

    Attributes:
        problem: why its bytes could not be taken out; it is over then.
    """

    name: str
    blob: Blob
    problem: Problem | None = None


class Lease(Row):
    """The right to write for one attempt at a job, until it expires.

    Attributes:
        token: grows with every claim; a write with an older one is refused.
        attempt: counted from 1.
        one_at_a_time: whether its files must be worked on one by one, because an earlier
            attempt died and only so the file that killed it can be told.
        files: the files that are not finished yet.
        labels: the caller's own labels; None for the default set.
        client_id: whose job it is.
        options: what the caller asked for.
        sealed: the job's secrets, encrypted.
    """

    job_id: UUID
    token: int
    attempt: int
    expires_at: datetime
    one_at_a_time: bool = False
    labels: tuple[Label, ...] | None = None
    client_id: str = "local"
    options: JobOptions = JobOptions()
    sealed: str | None = Field(default=None, repr=False)
    files: tuple[File, ...] = ()


class Heartbeat(StrEnum):
    """What the store answers to a sign of life."""

    OK = "ok"
    CANCEL = "cancel"
    LOST = "lost"


class Pending(Row):
    """A job that waits for a run.

    Attributes:
        job_id: the job.
        dispatch: how often the job has been handed to dispatch; one run is started for each.
    """

    job_id: UUID
    dispatch: int
