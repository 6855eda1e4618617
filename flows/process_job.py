"""One run for one job: every file is read, then classified."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from uuid import UUID

from prefect import State, flow, unmapped
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from inbox import Classification, Document, File, JobStatus, Lease, LeaseLost
from tasks.classify import classify
from tasks.extract import extract
from tasks.hooks import run_cancelled, run_crashed, run_ended
from tasks.runtime import inbox, run_is_cancelling, settings

# Files that are mapped at once: enough to keep every reader busy past one slow file, few
# enough that the texts of a large job do not pile up in memory.
FILES_PER_READER = 4


@flow(
    name="process-job",
    flow_run_name="job-{job_id}",
    persist_result=False,
    on_completion=[run_ended],
    on_failure=[run_ended],
    on_crashed=[run_crashed],
    on_cancellation=[run_cancelled],
)
def process_job(job_id: UUID) -> State[None]:
    """Claim the job, work on its files, close it.

    The run ends as the job does: Completed, Failed or Cancelled. A run that finds nothing to
    claim is Completed and says so.
    """
    lease = inbox().claim(job_id, UUID(str(flow_run.id)))
    if lease is None:
        return Completed(name="Skipped", message="The job is not waiting for a run.")
    inbox().expect(lease)
    with inbox().hold(lease, cancelled=run_is_cancelling):
        work_on(lease)
        return end(lease)


def work_on(lease: Lease) -> None:
    """Read and classify every open file of the job, and then what was found inside them."""
    files = lease.files
    while files:
        work_through(lease, files)
        files = inbox().found_in(lease, files)


def work_through(lease: Lease, files: Sequence[File]) -> None:
    """Read and classify these files."""
    size = 1 if lease.one_at_a_time else settings().file_concurrency * FILES_PER_READER
    # Prefect walks through all that a task is given, for every task.
    bare = lease.model_copy(update={"files": ()})
    steps = Steps(bare)
    for first in range(0, len(files), size):
        steps.begin(files[first : first + size])
        steps.go_on(until=0 if lease.one_at_a_time else size)
    steps.go_on(until=0)


class Steps:
    """The steps of one job's files that are under way."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._read: SimpleQueue[PrefectFuture[Document]] = SimpleQueue()
        self._reading: dict[PrefectFuture[Document], File] = {}
        self._classifying: deque[PrefectFuture[Classification]] = deque()

    def begin(self, files: Sequence[File]) -> None:
        """Start reading these."""
        documents = extract.map(unmapped(self._lease), files)
        for file, document in zip(files, documents, strict=True):
            self._reading[document] = file
            document.add_done_callback(self._read.put)

    def go_on(self, until: int) -> None:
        """Classify what has been read, until so many files at most are under way in each step."""
        while len(self._reading) > until:
            document = self._read.get()
            # A future that has been waited for knows how it ended. Any other would ask the server
            # when it is handed on.
            document.wait()
            file = self._reading.pop(document)
            if document.state.is_completed():  # what failed is over, by its task's hook
                self._classifying += classify.map(unmapped(self._lease), [file], [document])
        while len(self._classifying) > until:
            self._classifying.popleft().wait()


def end(lease: Lease) -> State[None]:
    """Close the job; the state of the run that goes with it."""
    try:
        status = inbox().finish(lease)
    except LeaseLost:
        return Failed(message="The lease lapsed or passed on; another run has the job.")
    if status == JobStatus.COMPLETED:
        return Completed(message="The job is completed.")
    if status == JobStatus.CANCELLED:
        return Cancelled(message="The job was cancelled.")
    return Failed(message=f"The job is {status}.")
