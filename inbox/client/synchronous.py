"""The client that waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Self
from uuid import UUID

import httpx

from inbox.client import calls
from inbox.client.calls import AGAIN, WAIT_SECONDS, ApiError, Call, EventLines, Source, checked
from inbox.export import ExportFormat
from inbox.interface import Accepted, Deleted, Event, JobList
from inbox.model import Job, JobSummary


class Client:
    """A client of an inbox's HTTP API. Use as a context manager, or call `close`.

    Args:
        url: where the API is.
        key: an API key, or the access token of a Supabase user; None where the API is open.
        timeout: seconds that one try may take.
        tries: how often a request is sent at most.
        transport: for tests, or a proxy.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 60,
        tries: int = 5,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._timeout, self._tries = timeout, tries
        headers = calls.headers_of(key)
        self._http = httpx.Client(base_url=url, headers=headers, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
        self,
        *sources: Source,
        labels: Iterable[str | Mapping[str, str]] | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Send documents: paths, or names with bytes.

        Raises:
            ApiError: they were refused.
            httpx.TransportError: the API cannot be reached.
            OSError: a file cannot be read.
        """
        call = calls.submission(sources, labels, options, idempotency_key)
        return Accepted.model_validate_json(self._send(call).content)

    def get(self, job_id: UUID | str, wait: float = 0) -> Job:
        """A job as it is, after waiting for its end for so many seconds at most."""
        return Job.model_validate_json(self._send(calls.getting(job_id, wait)).content)

    def wait(self, job_id: UUID | str, seconds: float | None = None) -> Job:
        """A job that is over.

        Raises:
            TimeoutError: it is not, after so many seconds.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = WAIT_SECONDS if until is None else until - time.monotonic()
            job = self.get(job_id, max(0.0, min(left, WAIT_SECONDS)))
            if job.status.terminal:
                return job
            if left <= 0:
                raise TimeoutError("the job is not over yet")

    def events(self, job_id: UUID | str, after: int = 0) -> Iterator[Event]:
        """What happens to a job until it is over, each event once though connections break."""
        tries = 0
        while True:
            answer = None
            try:
                with self._http.stream(**calls.following(job_id, after, self._timeout)) as answer:
                    if answer.status_code == httpx.codes.NO_CONTENT:
                        return
                    if not answer.is_success:
                        answer.read()
                    lines = EventLines()
                    for line in checked(answer).iter_lines():
                        if (event := lines.feed(line)) is not None:
                            after, tries = event.sequence, 0
                            yield event
            except (httpx.TransportError, ApiError) as failure:
                tries += 1
                if tries >= self._tries or calls.is_final(failure):
                    raise
                time.sleep(calls.pause(tries, answer))

    def jobs(self, **filters: Any) -> Iterator[JobSummary]:
        """All jobs that fit, newest first; filters as in `GET /jobs`."""
        while True:
            answer = self._send(Call("GET", "/jobs", params=filters))
            page = JobList.model_validate_json(answer.content)
            yield from page.jobs
            if page.next_cursor is None:
                return
            filters = {**filters, "cursor": page.next_cursor}

    def cancel(self, job_id: UUID | str) -> Job:
        """Ask for a job to be cancelled."""
        return Job.model_validate_json(self._send(Call("POST", f"/job/{job_id}/cancel")).content)

    def retry(self, job_id: UUID | str) -> Job:
        """Try the failed and cancelled files of a job that is over once more."""
        return Job.model_validate_json(self._send(Call("POST", f"/job/{job_id}/retry")).content)

    def delete(self, job_id: UUID | str) -> Deleted:
        """Forget a job that is over."""
        return Deleted.model_validate_json(self._send(Call("DELETE", f"/job/{job_id}")).content)

    def export(self, job_id: UUID | str, wanted: ExportFormat | str) -> bytes:
        """A job's results as a file."""
        params = {"format": ExportFormat(wanted).value}
        return self._send(Call("GET", f"/job/{job_id}/export", params=params)).content

    def _send(self, call: Call) -> httpx.Response:
        for tries in range(1, self._tries + 1):
            answer = None
            try:
                with ExitStack() as opened:
                    arguments = call.arguments(opened, self._timeout)
                    answer = self._http.request(call.method, call.path, **arguments)
            except httpx.TransportError:
                if tries == self._tries:
                    raise
            if answer is not None and (answer.status_code not in AGAIN or tries == self._tries):
                return checked(answer)
            time.sleep(calls.pause(tries, answer))
        raise ValueError("a request is sent once at least")
