"""The nouns.

Frozen values: what SQL returns, what the steps hand on and what HTTP shows.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, computed_field

from inbox.errors import InboxError

Fraction = Annotated[float, Field(ge=0, le=1)]


class JobStatus(StrEnum):
    """Where a job is in its life."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return self not in {JobStatus.PENDING, JobStatus.PROCESSING}


class FileStatus(StrEnum):
    """Where a file is in its life."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PageSource(StrEnum):
    """Where the text of a page came from."""

    TEXT_LAYER = "text_layer"
    OCR = "ocr"
    TEXT_LAYER_AND_OCR = "text_layer+ocr"
    NATIVE = "native"  # formats that are text: mail, office, HTML
    BLANK = "blank"  # nothing is on the page
    UNREADABLE = "unreadable"  # something is on the page, and no engine could read it


class Value(BaseModel):
    """A frozen value; unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Value):
    """A value out of the database, which may be ahead of this program and say more."""

    model_config = ConfigDict(extra="ignore")


class Problem(Value):
    """An error as the world sees it."""

    code: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """An error as it is written to the rows; an unforeseen one without its message."""
        if isinstance(error, InboxError):
            return cls(code=error.code, message=str(error))
        return cls(code="internal", message=f"unforeseen {type(error).__name__}")


class Page(Value):
    """One page as it was read.

    Attributes:
        number: counted from 1.
        text: what stands on the page.
        source: where the text came from.
        engine: the OCR engine, where one was used.
        confidence: mean word confidence of the OCR engine, 0 to 1.
        hidden: how many characters of the text a reader of the page cannot see.
    """

    number: int
    text: str
    source: PageSource
    engine: str | None = None
    confidence: Fraction | None = None
    hidden: int = 0


class Document(Value):
    """What was read out of a file.

    Attributes:
        media_type: what it is, by its content.
        pages: none where the file is a container.
        children: how many files are inside it, as far as they were looked for.
        container: whether it is nothing but a case for those.
        not_unpacked: the code of why they were left inside; None where they were not.
    """

    media_type: str
    pages: tuple[Page, ...]
    children: int = 0
    container: bool = False
    not_unpacked: str | None = None

    @property
    def text(self) -> str:
        """The text of all pages, parted by form feeds."""
        return "\f".join(page.text for page in self.pages)

    @property
    def ocr_pages(self) -> int:
        """How many pages OCR had a part in."""
        return sum(
            page.source in {PageSource.OCR, PageSource.TEXT_LAYER_AND_OCR} for page in self.pages
        )


class Label(Value):
    """A class that a document can be given.

    Attributes:
        name: what results say.
        description: what it means, for a reader who does not know it.
        cues: words and phrases that such documents hold.
        examples: texts of such documents, or their beginnings.
    """

    name: str = Field(min_length=1, max_length=64)
    description: str = Field(default="", max_length=1000)
    cues: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=50
    )
    examples: tuple[Annotated[str, Field(min_length=1, max_length=4000)], ...] = Field(
        default=(), max_length=500, repr=False
    )


class Evidence(Value):
    """A quote that stands verbatim on the page."""

    quote: str
    page: int


class Alternative(Value):
    """A label that was considered."""

    label: str
    confidence: Fraction


class FieldWanted(Value):
    """A fact that is to be found in a document.

    Attributes:
        kind: how a value is checked against its quote: a date (ISO 8601), an amount, or text.
    """

    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")
    description: str = Field(default="", max_length=1000)
    kind: Literal["text", "date", "amount"] = "text"


class FieldFound(Value):
    """A fact, and the quote that it stands in, on a page counted from 1."""

    name: str
    value: str
    quote: str
    page: int


class Cost(Row):
    """What asking a model took.

    Attributes:
        calls: requests that a server may have charged.
        money: in US dollars; None where the model's price is unknown.
        from_cache: the answer was kept from an earlier call, and cost nothing now.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    money: float | None = None
    from_cache: bool = False


class Split(Row):
    """One of several documents that seem to be in one file.

    Attributes:
        first_page: counted from 1.
        last_page: the last page that belongs to it.
        label: what it seems to be.
        confidence: estimated probability that a document begins at `first_page`; None for the
            first, which begins there by itself.
    """

    first_page: int
    last_page: int
    label: str | None = None
    confidence: Fraction | None = None


class FileDetails(Row):
    """What a step says of a file beyond its label.

    Attributes:
        summary: what the model says the document is about.
        fields: the facts that were asked for, each with a quote that stands in the document.
        cost: what asking the model took.
        children: how many files were found inside it.
        container: whether it is nothing but a case for those, and so has no label.
        not_unpacked: the code of why they were left inside.
        splits: the documents that seem to be in it, where several are; a proposal, nothing is cut.
    """

    summary: str | None = None
    fields: tuple[FieldFound, ...] = ()
    cost: Cost | None = None
    children: int = 0
    container: bool = False
    not_unpacked: str | None = None
    splits: tuple[Split, ...] = ()


class Classification(Value):
    """What a classifier says of a document.

    Attributes:
        label: one of the labels asked for; None where there is nothing to go by.
        confidence: estimated probability that `label` is right.
        evidence: quotes that stand in the document and speak for the label.
        needs_review: whether a person should look.
        review_reasons: why, as stable codes.
        alternatives: the likeliest labels, best first.
        classifier: which classifier decided, with its version.
        details: what else was found.
    """

    label: str | None
    confidence: Fraction | None
    evidence: tuple[Evidence, ...] = ()
    needs_review: bool = False
    review_reasons: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    classifier: str
    details: FileDetails = FileDetails()


class Blob(Value):
    """Bytes in the blob store.

    Attributes:
        key: where they are.
        sha256: lower-case hex digest; None where nobody has computed it yet.
        size: in bytes; None where unknown.
    """

    key: str
    sha256: str | None = None
    size: int | None = None


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


class Source(Row):
    """What it takes to show a file again.

    Attributes:
        pages: how many it has; None where it was not read.
        recipe: how the pages that are kept of it were read; None where not all of them are.
    """

    client_id: str
    name: str
    status: FileStatus
    media_type: str | None = None
    pages: int | None = None
    recipe: str | None = None
    details: FileDetails
    options: JobOptions = JobOptions()
    blob: Blob


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


class Stuck(Row):
    """A job that does not move, why, and what to do. `quiet_for` is in seconds."""

    job_id: UUID
    status: JobStatus
    why: str
    next_step: str
    quiet_for: float


class Pending(Row):
    """A job that waits for a run.

    Attributes:
        job_id: the job.
        dispatch: how often the job has been handed to dispatch; one run is started for each.
    """

    job_id: UUID
    dispatch: int


class FileResult(Row):
    """What became of one file, as a reader sees it.

    Attributes:
        parent_id: the file that this one was found in.
        corrected_label: what a person said it is, with who and when.
    """

    file_id: UUID
    number: int
    parent_id: UUID | None = None
    filename: str
    status: FileStatus
    label: str | None = None
    confidence: Fraction | None = None
    evidence: tuple[Evidence, ...] = ()
    needs_review: bool = False
    review_reasons: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    classifier: str | None = None
    media_type: str | None = None
    size: int | None = None
    pages: int | None = None
    ocr_pages: int | None = None
    text_length: int | None = None
    processing_time: float | None = None
    details: FileDetails = FileDetails()
    pages_done: int | None = None
    pages_total: int | None = None
    corrected_label: str | None = None
    corrected_by: str | None = None
    corrected_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None


class JobResult(Row):
    """The outcome so far. `processing_time` is in seconds."""

    total_files: int
    successful: int
    failed: int
    results: tuple[FileResult, ...]
    processing_time: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def cost(self) -> Cost | None:
        """What asking a model took for all files that are over; None where none was asked."""
        costs = [each.details.cost for each in self.results if each.details.cost is not None]
        if not costs:
            return None
        money = [each.money for each in costs if each.money is not None]
        return Cost(
            calls=sum(each.calls for each in costs),
            input_tokens=sum(each.input_tokens for each in costs),
            cached_tokens=sum(each.cached_tokens for each in costs),
            output_tokens=sum(each.output_tokens for each in costs),
            money=round(sum(money), 6) if len(money) == len(costs) else None,
            from_cache=all(each.from_cache for each in costs),
        )


class Job(Row):
    """One submission, as a reader sees it.

    Attributes:
        progress: percent of the work that is done, 0 to 100; never falls.
        processed_files: files that are over, whatever their outcome.
        estimated_seconds_left: by how fast it went so far; None where that is not known.
        result: per-file results; None until a file is over or some of its pages are done.
        error: why the job failed or was cancelled.
        expires_at: when the job and its results are forgotten; None where that is not foreseen.
    """

    job_id: UUID
    status: JobStatus
    progress: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    total_files: int
    processed_files: int
    estimated_seconds_left: int | None = None
    attempt: int = 0
    cancel_requested: bool = False
    options: JobOptions = JobOptions()
    result: JobResult | None = None
    error: Problem | None = None


class JobSummary(Row):
    """One line of a list of jobs."""

    job_id: UUID
    status: JobStatus
    progress: int
    created_at: datetime
    updated_at: datetime
    total_files: int
    processed_files: int
    estimated_seconds_left: int | None = None
    error: Problem | None = None


class Health(Row):
    """What a database says of itself.

    Attributes:
        now: its clock, in seconds since 1970.
        role: the role that asked.
        migrations: the versions that it has had.
        bucket: `private`, `public` or `absent`.
        realtime: the tables that Realtime tells of.
    """

    now: float
    role: str
    migrations: tuple[str, ...]
    bucket: str
    realtime: tuple[str, ...]
