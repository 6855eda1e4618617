"""A file in another form, straight or by a short-lived link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import jsonschema
import pytest
from api_server import client_of, running
from pydantic import SecretStr

from inbox import Inbox
from inbox.api.downloads import WORDS
from inbox.links import Link, token_of
from inbox.settings import Settings

TEXT = b"Invoice number 4711\nTotal amount due: 12.00 EUR\nPlease pay within 30 days.\n"


@pytest.fixture
def closed(settings: Settings) -> Settings:
    """Settings of a service that has a secret."""
    return settings.model_copy(update={"secret_key": SecretStr("s" * 40)})


@pytest.fixture
def client(closed: Settings) -> Iterator[httpx.Client]:
    """A client of the API, where a text file is done."""
    with running(closed) as server, client_of(server) as client:
        yield client


@pytest.fixture
def done(client: httpx.Client, closed: Settings) -> tuple[UUID, UUID]:
    """A job of one file that is completed: the job, the file."""
    files = {"files": ("a.txt", TEXT)}
    job_id = client.post("/classify-documents-async", files=files).json()["job_id"]
    with Inbox(closed) as inbox:
        inbox.work()
    (result,) = client.get(f"/job/{job_id}").json()["result"]["results"]
    assert result["status"] == "completed"
    return UUID(job_id), UUID(result["file_id"])


def test_a_file_is_had_as_text_markdown_and_words(
    client: httpx.Client, done: tuple[UUID, UUID]
) -> None:
    """Each with its media type, as an attachment; a form that cannot be is refused."""
    place = f"/job/{done[0]}/files/{done[1]}/download"
    got = client.get(place)
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="[0-9a-f-]+\.txt"', got.headers["content-disposition"]
    )
    assert "Total amount due: 12.00 EUR" in got.text
    assert client.get(place, params={"form": "markdown"}).text.startswith("Invoice number 4711")
    words = client.get(place, params={"form": "words"}).json()
    jsonschema.validate(words, WORDS)
    assert "12.00" in words["pages"][0]["text"]
    refused = client.get(place, params={"form": "pdf"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unsupported_output")
    assert client.get(place, params={"form": "docx"}).status_code == 422


def test_a_link_opens_the_file_until_it_expires(
    client: httpx.Client,
    done: tuple[UUID, UUID],
    closed: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever has it; not one that was tampered with, nor an old one. No log holds it."""
    made = client.post(f"/job/{done[0]}/files/{done[1]}/link").json()
    assert "12.00 EUR" in client.get(made["url"]).text
    head, _, token = made["url"].rpartition("/")
    other = ("A" if token[0] != "A" else "B") + token[1:]
    old = token_of(closed, Link(*done, 1_000_000_000, "text"))
    for bad in (other, old, token[:-8], "x"):
        answer = client.get(f"{head}/{bad}")
        assert (answer.status_code, answer.json()["code"]) == (410, "link_expired")
    assert '"GET /download/*** HTTP/1.1" 200' in caplog.text
    assert token[:40] not in caplog.text


def test_a_link_is_made_for_files_that_are_there(
    client: httpx.Client, done: tuple[UUID, UUID]
) -> None:
    """An unknown file has none."""
    answer = client.post(f"/job/{done[0]}/files/{uuid4()}/link")
    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")


def test_what_needs_a_secret_is_refused_where_there_is_none(
    settings: Settings, inbox: Inbox
) -> None:
    """Links, and passwords: the request is what cannot be, and nothing is left of it."""
    with running(settings) as server, client_of(server) as client:
        files = {"files": ("a.txt", TEXT)}
        job = client.post("/classify-documents-async", files=files).json()
        inbox.work()
        (result,) = client.get(job["status_endpoint"]).json()["result"]["results"]
        link = client.post(f"{job['status_endpoint']}/files/{result['file_id']}/link")
        locked = client.post("/classify-documents-async", files=files, data={"passwords": "open"})
    for refused in (link, locked):
        assert (refused.status_code, refused.json()["code"]) == (422, "secret_key_missing")
        assert "INBOX_SECRET_KEY" in refused.json()["detail"]
    assert [str(one.job_id) for one in inbox.list()] == [job["job_id"]]
    assert [path.name for path in settings.blobs_folder.iterdir()] == [job["job_id"]]
