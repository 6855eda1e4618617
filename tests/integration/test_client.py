"""The Python clients, and one written against the predecessor, on a real API."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from api_server import port_of, running

from inbox.client import ApiError, AsyncClient, Client
from inbox.model import JobStatus
from inbox.service import Inbox
from inbox.settings import Settings

LETTER = b"Dear Sir or Madam,\n\nthank you for your letter.\n\nYours faithfully\nA. Person"


@pytest.fixture
def server(settings: Settings) -> Iterator[uvicorn.Server]:
    """A running API."""
    with running(settings) as started:
        yield started


@pytest.fixture
def url(server: uvicorn.Server) -> str:
    """Where it is."""
    return f"http://127.0.0.1:{port_of(server)}"


class Flaky(httpx.HTTPTransport):
    """Fails every other request, before it is sent or after it was answered."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, or fail."""
        self.requests += 1
        if self.requests % 4 == 1:
            raise httpx.ConnectError("no luck")
        answer = super().handle_request(request)
        if self.requests % 4 == 3:
            answer.close()
            raise httpx.ReadError("the answer was lost")
        return answer


def test_the_whole_trip(url: str, inbox: Inbox, tmp_path: Path) -> None:
    """Submit a path and bytes, follow, wait, list, export, delete."""
    path = tmp_path / "letter.txt"
    path.write_bytes(LETTER)
    with Client(url) as client:
        accepted = client.submit(path, ("b.txt", LETTER), labels=["letter", "invoice"])
        assert accepted.total_files == 2
        working = threading.Thread(target=inbox.work)
        working.start()
        events = list(client.events(accepted.job_id))
        working.join()
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        job = client.wait(accepted.job_id)
        assert job.status == JobStatus.COMPLETED
        assert job.result is not None
        assert [file.label for file in job.result.results] == ["letter", "letter"]
        assert [each.job_id for each in client.jobs(label="letter")] == [job.job_id]
        assert list(client.jobs(status="failed")) == []
        assert b"letter.txt" in client.export(job.job_id, "csv")
        assert client.delete(job.job_id).blobs_removed == 2
        with pytest.raises(ApiError) as caught:
            client.get(job.job_id)
        assert (caught.value.status, caught.value.code) == (404, "job_not_found")


def test_the_same_with_asyncio(url: str, inbox: Inbox) -> None:
    """The other client does what the first does."""

    async def trip() -> list[Any]:
        async with AsyncClient(url) as client:
            accepted = await client.submit(("a.txt", LETTER), options={"languages": "eng"})
            work = asyncio.create_task(asyncio.to_thread(inbox.work))
            events = [event async for event in client.events(accepted.job_id)]
            await work
            job = await client.wait(accepted.job_id, 30)
            listed = [each async for each in client.jobs(limit=1)]
            assert job.options.languages == "eng"
            await client.retry(job.job_id)
            await client.cancel(job.job_id)
            exported = await client.export(job.job_id, "jsonl")
            await client.delete(job.job_id)
            return [events[-1].data["status"], job.status, len(listed), exported.count(b"\n")]

    assert asyncio.run(trip()) == ["completed", "completed", 1, 1]


def test_a_submission_that_is_repeated_is_one_job(url: str, inbox: Inbox) -> None:
    """Half of the requests fail, some after they were carried out: there is one job."""
    with Client(url, transport=Flaky(), tries=8) as client:
        for _ in range(3):
            job = client.submit(("a.txt", LETTER))
            assert client.get(job.job_id).total_files == 1
    assert len(inbox.list()) == 3


def test_pages_of_a_list_are_joined(url: str) -> None:
    """The client follows the cursor to the end; the API links to the next page."""
    with Client(url) as client:
        wanted = [client.submit(("a.txt", b"x")).job_id for _ in range(5)]
        assert [job.job_id for job in client.jobs(limit=2)] == wanted[::-1]
    first = httpx.get(f"{url}/jobs", params={"limit": 2, "status": "pending"})
    following = first.links["next"]["url"]
    assert following.startswith("/jobs?limit=2&status=pending&cursor=")
    assert len(httpx.get(url + following).json()["jobs"]) == 2


def test_waiting_has_an_end(url: str) -> None:
    """A job that nobody works on is waited for as long as was said."""
    with Client(url) as client:
        job = client.submit(("a.txt", b"x"))
        with pytest.raises(TimeoutError):
            client.wait(job.job_id, 0.2)
        with pytest.raises(ValueError, match="at least one"):
            client.submit()


def test_a_client_of_the_predecessor_works_unchanged(url: str, inbox: Inbox) -> None:
    """It posts `files`, reads `job_id`, and asks `GET /job/{job_id}` until `completed`."""
    parts = [("files", ("a.txt", LETTER, "text/plain")), ("files", ("b.txt", LETTER, "text/plain"))]
    posted = httpx.post(f"{url}/classify-documents-async", files=parts)
    assert posted.status_code == 202
    first = posted.json()
    assert set(first) == {
        *("job_id", "status", "message", "total_files"),
        *("status_endpoint", "estimated_time_seconds"),
    }
    assert (first["status"], first["total_files"]) == ("pending", 2)
    assert first["status_endpoint"] == f"/job/{first['job_id']}"
    working = threading.Thread(target=inbox.work)
    working.start()
    deadline = time.monotonic() + 60
    while True:
        job = httpx.get(f"{url}/job/{first['job_id']}").json()
        assert job["status"] in {"pending", "processing", "completed"}
        assert 0 <= job["progress"] <= 100
        assert job["processed_files"] <= job["total_files"] == 2
        if job["status"] == "completed":
            break
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    working.join()
    result = job["result"]
    assert (result["total_files"], result["successful"], result["failed"]) == (2, 2, 0)
    for file in result["results"]:
        assert {"filename", "status", "label", "confidence", "text_length"} <= set(file)
    assert job["job_id"] == first["job_id"]
    assert job["created_at"] <= job["updated_at"]
    assert job["error"] is None
