"""What a worker does with an inbox: claim a job, do its files, close it."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from uuid import UUID

from inbox import failpoints
from inbox.bill import Bill
from inbox.classify import Classifier, Terms, open_classifier
from inbox.classify.splits import with_splits
from inbox.digests import sha256_of
from inbox.errors import (
    InboxError,
    LeaseLost,
    ModelAway,
    ModelUnavailable,
    NotUnpacked,
    PermanentError,
    StopWork,
    TooDeep,
)
from inbox.extract import Reader
from inbox.extract.viewer import Viewer
from inbox.following import Follower
from inbox.holding import Holding
from inbox.learning import MOST_CORRECTIONS, Lessons
from inbox.model import Classification, Document, File, JobStatus, Label, Lease, Problem
from inbox.opened import Opened
from inbox.sealing import unseal
from inbox.settings import Settings
from inbox.unpacking import Unpacker


class Worker(Opened):
    """Claims jobs and does the work; see `Opened` for how to open it."""

    def __init__(self, settings: Settings, patience: float) -> None:
        super().__init__(settings, patience)
        self._holdings: dict[int, Holding] = {}
        self._reading = threading.BoundedSemaphore(settings.file_concurrency)

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

    def expect(self, lease: Lease) -> None:
        """Have what reads ready by the time that the files of this job are to be read."""
        self.reader.expect(file.name for file in lease.files)

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
            if file.parent_id is not None and file.blob.sha256 is None:
                raise NotUnpacked(
                    "This file could not be taken out of its container; send it again."
                )
            with self.blobs.fetch(file.blob) as path:
                failpoints.hit("extract.read")
                document = self._read(holding, file, path)
        holding.progress()
        return document

    def _read(self, holding: Holding, file: File, path: Path) -> Document:
        """The text of a file, and what is inside it as files of the job."""
        lease, options = holding.lease, holding.lease.options
        unpacker = Unpacker(self.settings, self.store, self.blobs, self.reader)
        wanted = self.settings.unpack if options.unpack is None else options.unpack
        passwords = unseal(self.settings, lease.job_id, lease.sealed) if lease.sealed else ()
        follower = Follower(
            self._notes,
            holding,
            file,
            file.blob.sha256 or sha256_of(path),
            keep=self.settings.keep_pages_days > 0,
        )
        document = self.reader.read(
            path,
            name=file.name,
            languages=options.languages,
            ladder=options.ladder,
            abort=holding.stop,
            unpack=unpacker.limits(file) if wanted else None,
            passwords=passwords,
            watcher=follower,
        )
        follower.whole(document)
        if not document.children:
            return document
        try:
            if unpacker.limits(file).levels <= 0:
                raise TooDeep("The file lies inside more containers than are taken apart.")
            count = unpacker.unpack(holding, file, path, passwords)
        except PermanentError as error:
            if document.container:
                raise
            return document.model_copy(update={"children": 0, "not_unpacked": error.code})
        return document.model_copy(update={"children": count})

    def found_in(self, lease: Lease, files: Sequence[File]) -> tuple[File, ...]:
        """What was found inside these files and wants work, after they were extracted.

        Call it again with its answer until there is none: containers lie in containers. None where
        the job was lost meanwhile; `finish` says so.
        """
        try:
            return self.store.open_files(lease, max((file.number for file in files), default=0))
        except LeaseLost:
            return ()

    def classify(self, lease: Lease, file: File, document: Document) -> Classification:
        """Label a document and write the file's result.

        Raises:
            PermanentError: the file cannot be classified.
            TransientError: something was away; a later try may succeed.
            StopWork: the job was cancelled or lost; nothing was written.
        """
        holding = self._holding(lease)
        try:
            found = self._classified(document, lease, self._terms(lease, file, holding))
        except ModelAway as away:
            if self.store.may_postpone(lease.job_id, self.settings.model_patience_seconds):
                raise holding.postpone(away.seconds) from None
            raise ModelUnavailable(str(away)) from None
        holding.check_lease()
        self.store.record(lease, file, document, found)
        holding.progress()
        return found

    def taught(
        self, labels: Sequence[Label] | None, client_id: str = "local"
    ) -> tuple[Label, ...] | None:
        """The labels with every correction of a client as an example; reads what it must.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        return self._lessons.taught(labels, client_id, MOST_CORRECTIONS)

    def _labels(self, lease: Lease) -> tuple[Label, ...] | None:
        if not self.settings.learn_from_corrections:
            return lease.labels
        return self._lessons.taught(lease.labels, lease.client_id)

    def _text(self, file: File) -> str:
        with self.blobs.fetch(file.blob) as path:
            return self.reader.read(path, name=file.name).text

    def _terms(self, lease: Lease, file: File, holding: Holding) -> Terms:
        redact = lease.options.redact
        return Terms(
            fields=lease.options.fields,
            redact=self.settings.model_redact if redact is None else redact,
            ledger=Bill(self.store, self.settings, lease, file),
            still=holding.still,
        )

    def _classified(self, document: Document, lease: Lease, terms: Terms) -> Classification:
        if document.container:  # the labels are those of the files inside
            return Classification(label=None, confidence=None, classifier="container")
        labels = self._labels(lease)
        found = self.classifier.classify(document, labels, terms)
        if lease.options.split:
            found = with_splits(found, document, labels)
        if document.not_unpacked is None:
            return found
        reasons = (*found.review_reasons, "not_unpacked")
        return found.model_copy(update={"needs_review": True, "review_reasons": reasons})

    def fail(self, lease: Lease, file: File, error: BaseException) -> None:
        """Write down why a file could not be done; nothing where the work was only stopped."""
        if isinstance(error, StopWork):
            return
        self.store.record_failure(lease, file, Problem.of(error))

    def finish(self, lease: Lease) -> JobStatus:
        """Close the job from the state of its files; hand it back where some are still open.

        The attempt is charged, unless the job is put off because a model is away.

        Raises:
            LeaseLost: another worker holds the job now.
        """
        status = self.store.finish(lease.job_id, lease.token)
        if status == JobStatus.PROCESSING:
            holding = self._holdings.get(lease.token)
            if holding is not None and holding.postponed is not None:
                return self.store.postpone(lease, holding.postponed)
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
        self.expect(lease)
        with self.hold(lease):
            files: Sequence[File] = lease.files
            while files:
                for file in files:
                    self._work_on(lease, file)
                files = self.found_in(lease, files)
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
    def _lessons(self) -> Lessons:
        return Lessons(self.store, self._text)

    @cached_property
    def viewer(self) -> Viewer:
        """Draws pages, in processes of its own."""
        return self._closing.enter_context(Viewer(self.settings))

    @cached_property
    def classifier(self) -> Classifier:
        """The lexicon, or the model where one is configured."""
        return open_classifier(self.settings)
