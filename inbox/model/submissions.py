"""What a caller hands in."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import Field

from inbox.model.findings import FieldWanted, Label
from inbox.model.values import Blob, Row, Value


class JobOptions(Row):
    """What a caller may ask of one job; None is what the settings say.

    Attributes:
        languages: Tesseract languages, joined by +.
        ladder: how much is tried with pages that are hard to read.
        fields: what a model is to find; None for dates, amounts and parties.
        budget: most money that a model may cost the job, in US dollars.
        redact: whether account numbers and addresses are hidden from a model.
        label_set: name of a stored list of labels; its labels are the job's.
        unpack: whether files inside other files (attachments, archives) become files of the job.
        split: whether to propose where a file of several pages holds several documents.
    """

    languages: str | None = Field(
        default=None, pattern=r"^[a-zA-Z_]{2,20}(\+[a-zA-Z_]{2,20}){0,9}$"
    )
    ladder: Literal["fast", "balanced", "thorough"] | None = None
    fields: tuple[FieldWanted, ...] | None = Field(default=None, max_length=50)
    budget: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    redact: bool | None = None
    label_set: str | None = Field(default=None, min_length=1, max_length=64)
    unpack: bool | None = None
    split: bool | None = None


class Upload(Value):
    """A file as it was handed in: its name and where its bytes are."""

    name: str
    blob: Blob


class Order(Value):
    """A submission: the files, and what is asked for."""

    uploads: tuple[Upload, ...]
    labels: tuple[Label, ...] | None = None
    client_id: str = "local"
    max_attempts: int = 5
    options: JobOptions = JobOptions()
    sealed: str | None = Field(default=None, repr=False)


class ReservationState(StrEnum):
    """What a client's Idempotency-Key stands for."""

    NEW = "new"
    IN_FLIGHT = "in_flight"
    DONE = "done"


class Reservation(Row):
    """A submission that may be repeated.

    Attributes:
        state: new: store the files under `job_id` and submit; in_flight: another request does;
            done: it is the job `job_id`.
        job_id: the job's id.
        request_sha256: digest of the request, where it is done.
    """

    state: ReservationState
    job_id: UUID
    request_sha256: str | None = None
