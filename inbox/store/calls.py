"""How the verbs reach the database: a transport that calls functions, and patience with it."""

from __future__ import annotations

from typing import Any, Protocol, Self

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from inbox.errors import JobCancelled, JobNotFound, LeaseLost, StoreUnavailable
from inbox.model import Heartbeat, Job, Lease


class Transport(Protocol):
    """A way to call a SQL function."""

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """Call `public.FUNCTION` with named arguments; lists and dicts travel as jsonb.

        Raises:
            StoreUnavailable: no answer; the call may or may not have been carried out.
            MigrationsMissing: the function does not exist.
            RequestError: the function refused the arguments.
        """
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


class Calls:
    """Calls SQL functions, again and again with growing pauses while there is no answer.

    Args:
        transport: what carries a call.
        lease_seconds: how long a lease lasts.
        patience: seconds to keep trying while the database does not answer.
    """

    def __init__(self, transport: Transport, lease_seconds: float, patience: float) -> None:
        self._transport = transport
        self._lease_seconds = lease_seconds
        self._patience = patience

    def with_patience(self, seconds: float) -> Self:
        """The same verbs over the same connections, which go on trying for so long."""
        return type(self)(self._transport, self._lease_seconds, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def _call(self, function: str, **arguments: Any) -> Any:
        retrying = Retrying(
            retry=retry_if_exception_type(StoreUnavailable),
            wait=wait_random_exponential(0.1, max=5),
            stop=stop_after_delay(self._patience),
            reraise=True,
        )
        return retrying(self._transport.call, function, arguments)

    def _fenced(self, function: str, lease: Lease, **arguments: Any) -> str:
        """Call a function that checks the lease, and prolongs it."""
        answer = standing(
            self._call(
                function,
                p_job_id=lease.job_id,
                p_token=lease.token,
                p_lease_seconds=self._lease_seconds,
                **arguments,
            )
        )
        if answer == Heartbeat.CANCEL:
            raise JobCancelled("the job is to be cancelled")
        return answer


def standing(answer: str) -> str:
    """What a function that checks the lease has answered.

    Raises:
        LeaseLost: the lease lapsed or passed on.
    """
    if answer == Heartbeat.LOST:
        raise LeaseLost("the lease lapsed or passed on; nothing was done")
    return answer


def of_job(row: Any) -> Any:
    """What a function that is about one job has answered.

    Raises:
        JobNotFound: there is none, or it is another client's.
    """
    if row is None:
        raise JobNotFound("no job has this id")
    return row


def job_of(row: Any) -> Job:
    """A job out of the database.

    Raises:
        JobNotFound: there is none, or it is another client's.
    """
    return Job.model_validate(of_job(row))
