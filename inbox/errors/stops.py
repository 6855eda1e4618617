"""Stop, and write nothing more."""

from __future__ import annotations

from inbox.errors.base import InboxError


class StopWork(InboxError):
    """The worker must stop this job and write nothing more."""


class LeaseLost(StopWork):
    """The lease ran out or another worker holds the job now."""

    code = "lease_lost"


class JobCancelled(StopWork):
    """Somebody asked for the job to be cancelled."""

    code = "job_cancelled"


class JobPostponed(StopWork):
    """The job goes back to the queue for a while, because a service that it needs is away."""

    code = "job_postponed"
