"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Self
from uuid import UUID

import httpx

from inbox.client import calls
from inbox.client.calls import AGAIN, WAIT_SECONDS, ApiError, Call, EventLines, Source, checked
from inbox.export import ExportFormat
from inbox.interface import Accepted, Deleted, Event, JobList
from inbox.model import Job, JobSummary


class AsyncClient:
    """A client of an inbox's HTTP API. Use as an asynchronous context manager, or await `close`.

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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout, self._tries = timeout, tries
        headers = calls.headers_of(key)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(
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
        return Accepted.model_validate_json((await self._send(call)).content)

    async def get(self, job_id: UUID | str, wait: float = 0) -> Job:
        """A job as it is, after waiting for its end for so many seconds at most."""
        return Job.model_validate_json((await self._send(calls.getting(job_id, wait))).content)

    async def wait(self, job_id: UUID | str, seconds: float | None = None) -> Job:
        """A job that is over.

        Raises:
            TimeoutError: it is not, after so many seconds.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = WAIT_SECONDS if until is None else until - time.monotonic()
            job = await self.get(job_id, max(0.0, min(left, WAIT_SECONDS)))
            if job.status.terminal:
                return job
            if left <= 0:
                raise TimeoutError("the job is not over yet")

    async def events(self, job_id: UUID | str, after: int = 0) -> AsyncIterator[Event]:
        """What happens to a job until it is over, each event once though connections break."""
        tries = 0
        while True:
            answer = None
            try:
                async with self._http.stream(
                    **calls.following(job_id, after, self._timeout)
                ) as answer:
                    if answer.status_code == httpx.codes.NO_CONTENT:
                        return
                    if not answer.is_success:
                        await answer.aread()
                    lines = EventLines()
                    async for line in checked(answer).aiter_lines():
                        if (event := lines.feed(line)) is not None:
                            after, tries = event.sequence, 0
                            yield event
            except (httpx.TransportError, ApiError) as failure:
                tries += 1
                if tries >= self._tries or calls.is_final(failure):
                    raise
                await asyncio.sleep(calls.pause(tries, answer))

    async def jobs(self, **filters: Any) -> AsyncIterator[JobSummary]:
        """All jobs that fit, newest first; filters as in `GET /jobs`."""
        while True:
            answer = await self._send(Call("GET", "/jobs", params=filters))
            page = JobList.model_validate_json(answer.content)
            for job in page.jobs:
                yield job
            if page.next_cursor is None:
                return
            filters = {**filters, "cursor": page.next_cursor}

    async def cancel(self, job_id: UUID | str) -> Job:
        """Ask for a job to be cancelled."""
        return Job.model_validate_json(
            (await self._send(Call("POST", f"/job/{job_id}/cancel"))).content
        )

    async def retry(self, job_id: UUID | str) -> Job:
        """Try the failed and cancelled files of a job that is over once more."""
        return Job.model_validate_json(
            (await self._send(Call("POST", f"/job/{job_id}/retry"))).content
        )

    async def delete(self, job_id: UUID | str) -> Deleted:
        """Forget a job that is over."""
        return Deleted.model_validate_json(
            (await self._send(Call("DELETE", f"/job/{job_id}"))).content
        )

    async def export(self, job_id: UUID | str, wanted: ExportFormat | str) -> bytes:
        """A job's results as a file."""
        params = {"format": ExportFormat(wanted).value}
        return (await self._send(Call("GET", f"/job/{job_id}/export", params=params))).content

    async def _send(self, call: Call) -> httpx.Response:
        for tries in range(1, self._tries + 1):
            answer = None
            try:
                with ExitStack() as opened:
                    arguments = call.arguments(opened, self._timeout)
                    answer = await self._http.request(call.method, call.path, **arguments)
            except httpx.TransportError:
                if tries == self._tries:
                    raise
            if answer is not None and (answer.status_code not in AGAIN or tries == self._tries):
                return checked(answer)
            await asyncio.sleep(calls.pause(tries, answer))
        raise ValueError("a request is sent once at least")
