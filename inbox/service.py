"""The one door to the house: what can be done with an inbox."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

from inbox.errors import LabelSetNotFound, NoFiles, SubmissionInFlight, TooManyFiles
from inbox.labelling import Correction, LabelSet
from inbox.model import (
    Job,
    JobOptions,
    JobStatus,
    JobSummary,
    Label,
    Order,
    Pending,
    Reservation,
    ReservationState,
    Stuck,
    Upload,
)
from inbox.settings import Settings
from inbox.worker import Worker

# Seconds that a caller keeps trying while the database does not answer: a person is told
# soon, a worker holds a finished text that would be lost.
PATIENCE_OF_A_PERSON = 2.0
PATIENCE_OF_A_WORKER = 120.0
RESERVATION_SECONDS = 180.0  # longest that a submission may take to send its files
ORPHAN_SECONDS = 3600.0  # bytes younger than this may belong to a submission under way
SWEEP_BATCH = 500


class Inbox(Worker):
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
        reservation: tuple[str, str] | None = None,
        *,
        options: JobOptions | None = None,
        sealed: str | None = None,
    ) -> Job:
        """Queue a job whose bytes are in the blob store. The same `job_id` is the same job.

        Args:
            job_id: chosen by the caller, who stored the bytes under it.
            uploads: the files.
            labels: the caller's own; None for the default set.
            client_id: whose job it is.
            reservation: the key that `reserve` gave to this job, and the request's digest.
            options: what the caller asks for; None for what the settings say.
            sealed: the job's secrets, encrypted.

        Raises:
            IdempotencyConflict: another request took the key over meanwhile.
            NoFiles: there is no file.
            TooManyFiles: there are more than the settings allow.
            StoreUnavailable: the database does not answer; nothing is promised.
        """
        if not uploads:
            raise NoFiles("the job has no files; send at least one")
        if len(uploads) > self.settings.max_files:
            raise TooManyFiles(f"a job may have {self.settings.max_files} files at most")
        order = Order(
            uploads=tuple(uploads),
            labels=None if labels is None else tuple(labels),
            client_id=client_id,
            max_attempts=self.settings.max_attempts,
            options=options or JobOptions(),
            sealed=sealed,
        )
        if reservation is None:
            return self.store.submit(job_id, order)
        return self.store.submit_reserved(job_id, order, reservation)

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

    def delete(self, job_id: UUID, client_id: str | None = None) -> None:
        """Forget a job that is over: its rows, then its bytes.

        Raises:
            JobNotFound: there is none, or it is another client's.
            JobNotOver: cancel it first.
        """
        self.blobs.delete(self.store.delete(job_id, client_id))

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
        """Remove bytes that no job has; how many jobs' there were.

        They are left where a receiver died between storing files and queueing their job, or
        between forgetting a job and removing its bytes.
        """
        removed = 0
        for ids in batched(self.blobs.jobs(ORPHAN_SECONDS), SWEEP_BATCH):
            for job_id in set(ids) - self.store.known(ids):
                self.blobs.delete_job(job_id)
                removed += 1
        return removed

    # -- for dispatch ---------------------------------------------------------------

    def pending(self) -> tuple[Pending, ...]:
        """Jobs that wait for a run, oldest first: as many as may run beside those at work."""
        return self.store.pending(self.settings.max_running_jobs)

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
