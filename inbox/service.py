"""The one door to the house: what can be done with an inbox."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from uuid import UUID

from inbox.errors import (
    FileNotCompleted,
    JobNotFound,
    JobNotOver,
    LabelSetNotFound,
    SubmissionInFlight,
)
from inbox.extract import Output
from inbox.following import Recaller
from inbox.front import SECONDS_OF_A_DAY, SETTLED_SECONDS, Front
from inbox.labelling import Correction, LabelSet
from inbox.model import (
    Document,
    FileStatus,
    Job,
    JobOptions,
    JobStatus,
    JobSummary,
    Label,
    Pending,
    Reservation,
    ReservationState,
    Source,
    Stuck,
    Upload,
)
from inbox.opened import address
from inbox.sealing import seal
from inbox.settings import Settings
from inbox.store import Wake, open_wake

# Seconds that a caller keeps trying while the database does not answer: a person is told
# soon, a worker holds a finished text that would be lost.
PATIENCE_OF_A_PERSON = 2.0
PATIENCE_OF_A_WORKER = 120.0
RESERVATION_SECONDS = 180.0  # longest that a submission may take to send its files
ORPHAN_SECONDS = 3600.0  # bytes younger than this may belong to a submission under way
SWEEP_BATCH = 500
PURGE_BATCH = 5000


class Inbox(Front):
    """Submit and watch jobs; and, for workers, claim them and do the work.

    Use as a context manager, or call `close`. Safe for several threads.

    Args:
        settings: see `Settings`.
        patience: seconds to keep trying while the database does not answer.

    Raises:
        ConfigurationError: no database is configured and none is running in the data folder,
            or the Supabase project of the settings cannot be used.
    """

    def __init__(self, settings: Settings, patience: float = PATIENCE_OF_A_PERSON) -> None:
        super().__init__(settings, patience)

    # -- for people -----------------------------------------------------------------

    def submit(
        self,
        job_id: UUID,
        uploads: Sequence[Upload],
        labels: Sequence[Label] | None = None,
        client_id: str = "local",
        *,
        options: JobOptions | None = None,
        sealed: str | None = None,
    ) -> Job:
        """Queue a job, as `accept` does; the job alone."""
        taken = self.accept(job_id, uploads, labels, client_id, options=options, sealed=sealed)
        return taken.job

    def seal(self, job_id: UUID, passwords: Sequence[str]) -> str | None:
        """Passwords that open files of this job, encrypted for `submit`; None where there are none.

        They are tried where a file is locked, and forgotten when the job is over.

        Raises:
            InvalidRequest: there are too many, or one is too long.
            ConfigurationError: there is no key to seal them with.
        """
        return seal(self.settings, job_id, passwords) if passwords else None

    def reserve(self, key: str, job_id: UUID, client_id: str = "local") -> Reservation:
        """What an Idempotency-Key stands for; where it is new, it is the caller's for a while.

        Raises:
            SubmissionInFlight: another request with this key is still sending its files.
        """
        found = self.store.reserve(client_id, key, job_id, RESERVATION_SECONDS)
        if found.state == ReservationState.IN_FLIGHT:
            raise SubmissionInFlight("a request with this Idempotency-Key is still under way")
        return found

    def abandon(self, key: str, job_id: UUID, client_id: str = "local") -> None:
        """Free a key whose request was refused."""
        self.store.abandon(client_id, key, job_id)

    def get(self, job_id: UUID, client_id: str | None = None) -> Job:
        """One job with its files.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return self.store.get(job_id, client_id)

    def document(self, job_id: UUID, file_id: UUID, client_id: str | None = None) -> Document:
        """What was read in a completed file, page by page.

        It is kept since the file was read; where it is not (any more), the file is read again.

        Raises:
            FileNotFound: there is no such file, or it is another client's.
            FileNotCompleted: it was not read.
            EncryptedFile: it is not kept, and the password that opened it is gone.
            InboxError: it is not kept and cannot be read again, see `inbox.extract.Reader.read`.
        """
        source = self.check_readable(job_id, file_id, client_id)
        found = Document(
            media_type=source.media_type,
            pages=(),
            children=source.details.children,
            container=source.details.container,
            not_unpacked=source.details.not_unpacked,
        )
        sha256, recipe = source.blob.sha256, source.recipe
        if sha256 is not None and recipe is not None:
            kept = tuple(self.store.kept_pages(source.client_id, sha256, recipe))
            if len(kept) == source.pages:
                return found.model_copy(update={"pages": kept})
        if source.details.container:
            return found
        with self.blobs.fetch(source.blob) as path:
            recaller = Recaller(self.store, source.client_id, sha256 or "")
            again = self.reader.read(
                path,
                name=source.name,
                languages=source.options.languages,
                ladder=source.options.ladder,
                watcher=recaller,
            )
        return found.model_copy(update={"pages": again.pages})

    def check_readable(self, job_id: UUID, file_id: UUID, client_id: str | None = None) -> Source:
        """Where a completed file is.

        Raises:
            FileNotFound: there is no such file, or it is another client's.
            FileNotCompleted: it was not read.
        """
        source = self.store.source(job_id, file_id, client_id)
        if source.status != FileStatus.COMPLETED or source.media_type is None:
            raise FileNotCompleted("the file is not completed, so it has no text")
        return source

    def render(
        self, job_id: UUID, file_id: UUID, output: Output, client_id: str | None = None
    ) -> bytes:
        """A completed file in another form: see `inbox.extract.Reader.render`.

        Raises:
            FileNotFound: there is no such file, or it is another client's.
            FileNotCompleted: it was not read.
            UnsupportedOutput: a searchable PDF of what is neither a PDF nor a picture.
            InboxError: it cannot be read again, see `inbox.extract.Reader.read`.
        """
        source = self.check_readable(job_id, file_id, client_id)
        with self.blobs.fetch(source.blob) as path:
            return self.reader.render(
                path,
                output,
                name=source.name,
                languages=source.options.languages,
                ladder=source.options.ladder,
            )

    def list(
        self,
        *,
        client_id: str | None = None,
        status: JobStatus | None = None,
        before: tuple[datetime, UUID] | None = None,
        limit: int = 50,
    ) -> tuple[JobSummary, ...]:
        """Jobs, newest first, from below `before`; at most 500."""
        return self.store.list(client_id, status, before, limit)

    def cancel(self, job_id: UUID, client_id: str | None = None) -> Job:
        """Ask for a job to be cancelled; one that is over stays as it is.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return self.store.cancel(job_id, client_id)

    def retry(self, job_id: UUID, client_id: str | None = None) -> Job:
        """Try the failed and cancelled files of a job that is over once more.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return self.store.retry(job_id, client_id)

    def delete(self, job_id: UUID, client_id: str | None = None) -> int:
        """Forget a job that is over: its rows, then its bytes; how many blobs there were.

        Raises:
            JobNotFound: there is none, or it is another client's.
            JobNotOver: cancel it first.
        """
        keys = self.store.delete(job_id, client_id)
        self.blobs.delete(keys)
        return len(keys)

    def purge(self) -> int:
        """Forget the jobs that the settings say are kept no longer; how many there were."""
        self.store.forget_old(SETTLED_SECONDS)
        if self.settings.retention_days is None:
            return 0
        seconds = self.settings.retention_days * SECONDS_OF_A_DAY
        removed = 0
        while expired := self.store.expired(seconds, SWEEP_BATCH):
            for job_id in expired:
                with suppress(JobNotFound, JobNotOver):  # another sweep, or somebody tries it again
                    self.delete(job_id)
                    removed += 1
            if len(expired) < SWEEP_BATCH:
                break
        return removed

    def put_label_set(
        self, name: str, labels: Sequence[Label], client_id: str = "local"
    ) -> LabelSet:
        """Store a list of labels under a name; jobs may then name it in their options.

        Raises:
            InvalidLabels: the name or a label cannot be used, or there are too many sets.
        """
        return self.store.put_label_set(client_id, name, labels)

    def label_set(self, name: str, client_id: str = "local") -> LabelSet:
        """One stored list of labels.

        Raises:
            LabelSetNotFound: the client has none of this name.
        """
        return self.store.label_set(client_id, name)

    def label_sets(self, client_id: str = "local") -> tuple[LabelSet, ...]:
        """Every stored list of labels, by name."""
        return self.store.label_sets(client_id)

    def delete_label_set(self, name: str, client_id: str = "local") -> None:
        """Forget a stored list of labels; jobs keep the labels they were submitted with.

        Raises:
            LabelSetNotFound: the client has none of this name.
        """
        if not self.store.delete_label_set(client_id, name):
            raise LabelSetNotFound("there is no label set of this name")

    def correct(
        self, job_id: UUID, file_id: UUID, label: str | None, by: str, client_id: str | None = None
    ) -> Job:
        """Say what a file is, or with None take that back; who and when is kept.

        Raises:
            JobNotFound: there is none, or it is another client's.
            FileNotFound: the job has no such file.
            FileNotCompleted: the file has no label.
            InvalidLabels: the label is not one of the job's.
        """
        return self.store.correct(job_id, file_id, label, by, client_id)

    def corrections(self, job_id: UUID, client_id: str | None = None) -> tuple[Correction, ...]:
        """Every correction of a job's files, oldest first.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return self.store.corrections(job_id, client_id)

    def stuck(self, limit: int = 50) -> tuple[Stuck, ...]:
        """Jobs that do not move, the quietest first: why, and what to do."""
        return self.store.stuck(limit)

    def sweep(self) -> int:
        """Forget what has expired and old texts, then remove bytes that no job has.

        Such bytes are left where a receiver died between storing files and queueing their job, or
        between forgetting a job and removing its bytes.

        Returns:
            How many jobs were forgotten, or had left bytes.
        """
        seconds = self.settings.keep_pages_days * SECONDS_OF_A_DAY
        while self.store.purge_pages(seconds, PURGE_BATCH) == PURGE_BATCH:
            pass
        removed = self.purge()
        for ids in batched(self.blobs.jobs(ORPHAN_SECONDS), SWEEP_BATCH):
            for job_id in set(ids) - self.store.known(ids):
                self.blobs.delete_job(job_id)
                removed += 1
        return removed

    # -- for dispatch ---------------------------------------------------------------

    def pending(self) -> tuple[Pending, ...]:
        """Jobs that wait for a run, oldest first: as many as may run beside those at work."""
        return self.store.pending(self.settings.max_running_jobs)

    def listen(self) -> Wake:
        """What to sleep on between two looks at `pending`; close it after use.

        It ends a sleep early when a job begins to wait or a place becomes free, as far as the
        database tells: Postgres by NOTIFY, a Supabase project by Realtime where that is set.
        """
        return open_wake(self.settings, address(self.settings))

    def redispatch(self, pending: Pending) -> bool:
        """Say that the run of this dispatch ended without claiming the job."""
        return self.store.redispatch(pending)

    def reap(self) -> int:
        """Return or close jobs whose worker fell silent; how many there were."""
        return self.store.reap()


def batched(items: Iterable[UUID], size: int) -> Iterator[list[UUID]]:
    """The items in lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
