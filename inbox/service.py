"""The one door to the house: what can be done with an inbox."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import Self
from uuid import UUID

from inbox.blobs import Blobs, open_blobs
from inbox.classify import Classifier, open_classifier
from inbox.embedded import running_url
from inbox.errors import (
    ConfigurationError,
    InboxError,
    LeaseLost,
    NoFiles,
    StopWork,
    TooManyFiles,
)
from inbox.extract import Reader
from inbox.holding import Holding
from inbox.model import (
    Classification,
    Document,
    File,
    Job,
    JobStatus,
    JobSummary,
    Label,
    Lease,
    Pending,
    Problem,
    Upload,
)
from inbox.settings import Settings
from inbox.store import Store, open_store

# Seconds that a caller keeps trying while the database does not answer: a person is told
# soon, a worker holds a finished text that would be lost.
PATIENCE_OF_A_PERSON = 2.0
PATIENCE_OF_A_WORKER = 120.0
DATABASE = "inbox"


class Inbox:
    """Submit and watch jobs; and, for workers, claim them and do the work.

    Use as a context manager, or call `close`. Safe for several threads.

    Args:
        settings: see `Settings`.
        patience: seconds to keep trying while the database does not answer.

    Raises:
        ConfigurationError: no database is configured and none is running in the data folder.
    """

    def __init__(self, settings: Settings, patience: float = PATIENCE_OF_A_PERSON) -> None:
        self.settings = settings
        self._closing = ExitStack()
        url = database_url(settings)
        self.store: Store = self._closing.enter_context(
            open_store(settings, url, connections=8, patience=patience)
        )
        self._heartbeats: Store = self._closing.enter_context(
            open_store(settings, url, connections=1, patience=settings.heartbeat_seconds)
        )
        self.blobs: Blobs = open_blobs(settings)
        self._holdings: dict[int, Holding] = {}
        self._reading = threading.BoundedSemaphore(settings.file_concurrency)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections and stop the reading processes."""
        self._closing.close()

    # -- for people -----------------------------------------------------------------

    def submit(
        self,
        job_id: UUID,
        uploads: Sequence[Upload],
        labels: Sequence[Label] | None = None,
        client_id: str = "local",
    ) -> Job:
        """Queue a job whose bytes are in the blob store. The same `job_id` is the same job.

        Raises:
            NoFiles: there is no file.
            TooManyFiles: there are more than the settings allow.
            StoreUnavailable: the database does not answer; nothing is promised.
        """
        if not uploads:
            raise NoFiles("the job has no files; send at least one")
        if len(uploads) > self.settings.max_files:
            raise TooManyFiles(f"a job may have {self.settings.max_files} files at most")
        return self.store.submit(
            job_id, uploads, labels, client_id, max_attempts=self.settings.max_attempts
        )

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

    # -- for workers ----------------------------------------------------------------

    def claim(self, job_id: UUID | None = None, flow_run_id: UUID | None = None) -> Lease | None:
        """Take this pending job, or the one that has waited longest; None where there is none."""
        owner = f"{flow_run_id or 'inbox'}/{os.getpid()}/{secrets.token_hex(4)}"
        return self.store.claim(job_id, owner, flow_run_id)

    @contextmanager
    def hold(
        self, lease: Lease, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Holding]:
        """Keep a lease alive inside the context.

        A process that is told to stop (SIGTERM, Ctrl-C) hands the job back, uncharged.

        Args:
            lease: what to keep.
            cancelled: asked when the process is told to stop; True where somebody thereby
                cancelled this job, which is then closed as cancelled.
        """
        every, stall = self.settings.heartbeat_seconds, self.settings.stall_seconds
        with Holding(lease, self._heartbeats.heartbeat, every, stall) as holding:
            self._holdings[lease.token] = holding
            try:
                yield holding
            except Exception:
                raise
            except BaseException:
                holding.stop.set()
                with suppress(InboxError):
                    self._give_up(lease, cancelled=cancelled())
                raise
            finally:
                del self._holdings[lease.token]

    def _give_up(self, lease: Lease, *, cancelled: bool) -> None:
        if cancelled:
            self.store.cancel(lease.job_id)
            self.store.finish(lease.job_id, lease.token)
        else:
            self.release(lease)

    def extract(self, lease: Lease, file: File) -> Document:
        """Read a file.

        Raises:
            PermanentError: the file cannot be read.
            TransientError: something was away; a later try may succeed.
            StopWork: the job was cancelled or lost.
        """
        holding = self._holding(lease)
        with self._reading:
            holding.check()
            self.store.start(lease, file)
            with self.blobs.fetch(file.blob) as path:
                document = self.reader.read(path, abort=holding.stop)
        holding.progress()
        return document

    def classify(self, lease: Lease, file: File, document: Document) -> Classification:
        """Label a document and write the file's result.

        Raises:
            PermanentError: the file cannot be classified.
            TransientError: something was away; a later try may succeed.
            StopWork: the job was cancelled or lost; nothing was written.
        """
        holding = self._holding(lease)
        found = self.classifier.classify(document, lease.labels)
        holding.check()
        self.store.record(lease, file, document, found)
        holding.progress()
        return found

    def fail(self, lease: Lease, file: File, error: BaseException) -> None:
        """Write down why a file could not be done; nothing where the work was only stopped."""
        if isinstance(error, StopWork):
            return
        self.store.record_failure(lease, file, problem_of(error))

    def finish(self, lease: Lease) -> JobStatus:
        """Close the job from the state of its files; hand it back where some are still open.

        Raises:
            LeaseLost: another worker holds the job now.
        """
        status = self.store.finish(lease.job_id, lease.token)
        if status == JobStatus.PROCESSING:
            return self.store.release(lease.job_id, lease.token, charged=True)
        return status

    def release(self, lease: Lease) -> JobStatus:
        """Hand a job back uncharged: this worker is told to stop.

        Raises:
            LeaseLost: another worker holds the job now.
        """
        return self.store.release(lease.job_id, lease.token)

    def run_ended(self, job_id: UUID, flow_run_id: UUID, *, crashed: bool) -> JobStatus | None:
        """Settle what a flow run left behind: finish or hand back the job it still holds.

        Returns:
            What became of the job; None where the run holds nothing any more.
        """
        token = self.store.token_of_run(job_id, flow_run_id)
        if token is None:
            return None
        try:
            status = self.store.finish(job_id, token)
            if status == JobStatus.PROCESSING:
                status = self.store.release(job_id, token, charged=True, crashed=crashed)
        except LeaseLost:
            return None
        return status

    def run_cancelled(self, job_id: UUID, flow_run_id: UUID) -> None:
        """The flow run was cancelled from outside: cancel the job, if the run still holds it."""
        token = self.store.token_of_run(job_id, flow_run_id)
        if token is None:
            return
        self.store.cancel(job_id)
        with suppress(LeaseLost):
            self.store.finish(job_id, token)

    def work(self) -> JobStatus | None:
        """Do the whole trip of the job that has waited longest, without Prefect.

        Returns:
            What became of the job; None where none waits.
        """
        lease = self.claim()
        if lease is None:
            return None
        with self.hold(lease):
            for file in lease.files:
                self._work_on(lease, file)
            return self.finish(lease)

    def _work_on(self, lease: Lease, file: File) -> None:
        try:
            self.classify(lease, file, self.extract(lease, file))
        except StopWork:
            return
        except InboxError as error:
            self.fail(lease, file, error)

    def _holding(self, lease: Lease) -> Holding:
        holding = self._holdings.get(lease.token)
        if holding is None:
            raise LeaseLost("this lease is not being held here")
        holding.check()
        return holding

    @cached_property
    def reader(self) -> Reader:
        """Reads files, in processes of its own."""
        return self._closing.enter_context(Reader(self.settings))

    @cached_property
    def classifier(self) -> Classifier:
        """The lexicon, or the model where one is configured."""
        return open_classifier(self.settings)


def database_url(settings: Settings) -> str:
    """The database that the settings name, or the embedded one that is running.

    Raises:
        ConfigurationError: there is neither.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    url = running_url(settings.data_dir, DATABASE)
    if url is None:
        raise ConfigurationError(
            "no database: start one with `inbox up`, or set DATABASE_URL to a Postgres of yours"
        )
    return url


def problem_of(error: BaseException) -> Problem:
    """An error as it is written to the rows; an unforeseen one without its message."""
    if isinstance(error, InboxError):
        return Problem(code=error.code, message=str(error))
    return Problem(code="internal", message=f"unforeseen {type(error).__name__}")
