"""The verbs of the queue.

Each is one SQL function that may be called again with the same arguments, so every call is
repeated, with growing pauses, while the database does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from inbox import failpoints
from inbox.errors import JobCancelled, JobNotFound, JobNotOver
from inbox.model import (
    Classification,
    Document,
    File,
    Health,
    Heartbeat,
    Job,
    JobStatus,
    JobSummary,
    Lease,
    Order,
    Pending,
    Problem,
    Reservation,
    Stuck,
)
from inbox.store.calls import Transport, job_of, standing
from inbox.store.interface import InterfaceVerbs, submission
from inbox.store.labels import LabelVerbs
from inbox.store.models import ModelVerbs
from inbox.store.reading import ReadingVerbs

__all__ = ["Store", "Transport"]


class Store(InterfaceVerbs, LabelVerbs, ModelVerbs, ReadingVerbs):
    """Jobs in Postgres. Every write after a claim carries its lease, or is refused."""

    # -- for people -----------------------------------------------------------------

    def submit(self, job_id: UUID, order: Order) -> Job:
        """Put a job and its files in the queue; the same `job_id` again is the same job."""
        return Job.model_validate(self._call("inbox_submit_job", **submission(job_id, order)))

    def reserve(self, client_id: str, key: str, job_id: UUID, seconds: float) -> Reservation:
        """What a client's key stands for; where it is new, it is the caller's for so long."""
        row = self._call(
            "inbox_reserve_submission",
            p_client_id=client_id,
            p_key=key,
            p_job_id=job_id,
            p_seconds=seconds,
        )
        return Reservation.model_validate(row)

    def abandon(self, client_id: str, key: str, job_id: UUID) -> None:
        """Free a key whose request was refused."""
        self._call("inbox_abandon_submission", p_client_id=client_id, p_key=key, p_job_id=job_id)

    def retry(self, job_id: UUID, client_id: str | None = None) -> Job:
        """Try the failed and cancelled files of a job that is over once more.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return job_of(self._call("inbox_retry_job", p_job_id=job_id, p_client_id=client_id))

    def delete(self, job_id: UUID, client_id: str | None = None) -> tuple[str, ...]:
        """Forget a job that is over; the keys of the bytes that nothing else needs.

        Raises:
            JobNotFound: there is none, or it is another client's.
            JobNotOver: cancel it first.
        """
        answer = self._call("inbox_delete_job", p_job_id=job_id, p_client_id=client_id)
        if answer["state"] == "absent":
            raise JobNotFound("no job has this id")
        if answer["state"] == "running":
            raise JobNotOver("the job is not over yet; cancel it first")
        return tuple(answer["keys"])

    def known(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Those of the ids that a job or a submission under way has."""
        rows = self._call("inbox_known_jobs", p_job_ids=[str(job_id) for job_id in job_ids])
        return {UUID(row) for row in rows}

    def stuck(self, limit: int) -> tuple[Stuck, ...]:
        """Jobs that do not move, the quietest first."""
        rows = self._call("inbox_stuck_jobs", p_limit=limit)
        return tuple(Stuck.model_validate(row) for row in rows)

    def get(self, job_id: UUID, client_id: str | None = None) -> Job:
        """One job with its files.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return job_of(self._call("inbox_job_view", p_job_id=job_id, p_client_id=client_id))

    def list(
        self,
        client_id: str | None,
        status: JobStatus | None,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> tuple[JobSummary, ...]:
        """Jobs, newest first, from below `before` (created_at, job_id); at most 500."""
        rows = self._call(
            "inbox_list_jobs",
            p_client_id=client_id,
            p_status=status,
            p_before_created_at=before and before[0].isoformat(),
            p_before_id=before and before[1],
            p_limit=limit,
        )
        return tuple(JobSummary.model_validate(row) for row in rows)

    def cancel(self, job_id: UUID, client_id: str | None = None) -> Job:
        """Ask for a job to be cancelled; a job that is over stays as it is.

        Raises:
            JobNotFound: there is none, or it is another client's.
        """
        return job_of(self._call("inbox_cancel_job", p_job_id=job_id, p_client_id=client_id))

    def health(self) -> Health:
        """What the database says of itself."""
        return Health.model_validate(self._call("inbox_health"))

    # -- for dispatch ---------------------------------------------------------------

    def pending(self, running: int) -> tuple[Pending, ...]:
        """Jobs that wait for a run, oldest first: as many as bring those at work to `running`."""
        rows = self._call("inbox_pending_jobs", p_running=running)
        return tuple(Pending.model_validate(row) for row in rows)

    def redispatch(self, pending: Pending) -> bool:
        """Say that the run of this dispatch ended without claiming the job."""
        return bool(
            self._call("inbox_redispatch_job", p_job_id=pending.job_id, p_dispatch=pending.dispatch)
        )

    def reap(self, limit: int = 100) -> int:
        """Return or close jobs whose lease has lapsed; how many there were."""
        return int(self._call("inbox_reap_jobs", p_limit=limit))

    # -- for workers ----------------------------------------------------------------

    def claim(
        self, job_id: UUID | None, owner: str, flow_run_id: UUID | None = None
    ) -> Lease | None:
        """Take this pending job, or the one that has waited longest; None where there is none.

        The same `owner` asking again for the same job gets the lease it holds.
        """
        row = self._call(
            "inbox_claim_job",
            p_job_id=job_id,
            p_owner=owner,
            p_lease_seconds=self._lease_seconds,
            p_flow_run_id=flow_run_id,
        )
        failpoints.hit("store.claim.after")
        return None if row is None else Lease.model_validate(row, extra="ignore")

    def token_of_run(self, job_id: UUID, flow_run_id: UUID) -> int | None:
        """The token of the lease that this flow run holds."""
        token = self._call("inbox_token_of_run", p_job_id=job_id, p_flow_run_id=flow_run_id)
        return None if token is None else int(token)

    def heartbeat(self, lease: Lease) -> Heartbeat:
        """Show life; the lease is extended where it still stands."""
        answer = self._call(
            "inbox_heartbeat",
            p_job_id=lease.job_id,
            p_token=lease.token,
            p_lease_seconds=self._lease_seconds,
        )
        return Heartbeat(answer)

    def start(self, lease: Lease, file: File) -> None:
        """Say that work on this file begins.

        Raises:
            LeaseLost: the lease lapsed or passed on.
            JobCancelled: somebody asked for it.
        """
        self._fenced("inbox_start_file", lease, p_file_id=file.id)

    def record(self, lease: Lease, file: File, document: Document, found: Classification) -> None:
        """Write what was found in a file; the first outcome stands.

        Raises:
            LeaseLost: the lease lapsed or passed on; nothing was written.
        """
        outcome = found.model_dump(mode="json") | {
            "status": "completed",
            "media_type": document.media_type,
            "pages": len(document.pages),
            "ocr_pages": document.ocr_pages,
            "text_length": len(document.text),
            "details": _details(document, found),
        }
        self._record(lease, file.id, outcome)

    def record_failure(self, lease: Lease, file: File, problem: Problem) -> None:
        """Write why a file could not be done; the first outcome stands.

        Raises:
            LeaseLost: the lease lapsed or passed on; nothing was written.
        """
        outcome = {
            "status": "failed",
            "error_code": problem.code,
            "error_message": problem.message,
        }
        self._record(lease, file.id, outcome)

    def finish(self, job_id: UUID, token: int) -> JobStatus:
        """Close a job from the state of its files; PROCESSING where some are still open.

        Raises:
            LeaseLost: the lease lapsed or passed on.
        """
        failpoints.hit("store.finish.before")
        return JobStatus(standing(self._call("inbox_finish_job", p_job_id=job_id, p_token=token)))

    def release(
        self, job_id: UUID, token: int, *, charged: bool = False, crashed: bool = False
    ) -> JobStatus:
        """Hand a job back.

        Args:
            job_id: the job.
            token: the lease's.
            charged: the attempt counts against the job's maximum.
            crashed: its process died; the files it was working on are suspects.

        Raises:
            LeaseLost: the lease lapsed or passed on.
        """
        answer = self._call(
            "inbox_release_job",
            p_job_id=job_id,
            p_token=token,
            p_charged=charged,
            p_crashed=crashed,
        )
        return JobStatus(standing(answer))

    # -- the wire -------------------------------------------------------------------

    def _record(self, lease: Lease, file_id: UUID, outcome: dict[str, Any]) -> None:
        failpoints.hit("store.record.before")
        try:
            self._fenced("inbox_record_file", lease, p_file_id=file_id, p_outcome=outcome)
            failpoints.hit("store.record.after")
        except JobCancelled:
            return  # written all the same: what is done is not thrown away


def _details(document: Document, found: Classification) -> dict[str, Any]:
    said = {
        "children": document.children,
        "container": document.container,
        "not_unpacked": document.not_unpacked,
    }
    of_label = found.details.model_dump(mode="json", exclude_defaults=True)
    return of_label | {name: value for name, value in said.items() if value}
