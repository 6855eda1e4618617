"""Jobs over real HTTP, with a real database and real blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest
from api_answers import SUBMIT, assert_refused, files_in
from api_server import client_of, running
from pydantic import SecretStr

from inbox.model import JobStatus, Label
from inbox.service import Inbox
from inbox.settings import Settings


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the API."""
    with running(settings) as server, client_of(server) as opened:
        yield opened


def test_a_submission_becomes_one_pending_job(
    client: httpx.Client, inbox: Inbox, settings: Settings
) -> None:
    """Names are shown as they were meant, bytes are stored as they were sent."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="labels"\r\n\r\n["letter", "receipt"]\r\n'
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="../../a\x00.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n%PDF-\r\n--\r\n--c\x00\xff\r\n"
        b"--b\r\nContent-Disposition: form-data; name=file; filename*=utf-8''%E2%82%AC.txt\r\n\r\n"
        b"price\r\n"
        b'--b\r\nContent-Disposition: form-data; name="files[]"; filename="Gr\xf6\xdfe.csv"\r\n\r\n'
        b"\r\n--b--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post(SUBMIT, content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    job_id = UUID(accepted["job_id"])
    assert accepted["status"] == "pending"
    assert accepted["total_files"] == 3
    assert accepted["estimated_time_seconds"] > 0
    assert accepted["status_endpoint"] == answer.headers["location"] == f"/job/{job_id}"
    assert int(answer.headers["retry-after"]) > 0
    lease = inbox.claim(job_id)
    assert lease is not None
    assert [file.name for file in lease.files] == ["a.pdf", "\u20ac.txt", "Größe.csv"]
    assert lease.labels == (Label(name="letter"), Label(name="receipt"))
    contents = [b"%PDF-\r\n--\r\n--c\x00\xff", b"price", b""]
    for file, content in zip(lease.files, contents, strict=True):
        assert file.blob.size == len(content)
        assert file.blob.sha256 == hashlib.sha256(content).hexdigest()
        with inbox.blobs.fetch(file.blob) as path:
            assert path.read_bytes() == content
    assert len(files_in(settings)) == 3


def test_the_job_is_seen_from_pending_to_completed(client: httpx.Client, inbox: Inbox) -> None:
    """What GET shows follows the rows, and says when to ask again until there is no need."""
    files = [
        ("files", ("hello.txt", b"Dear Sir or Madam,\n\nthank you.\n\nYours faithfully")),
        ("files", ("broken.pdf", b"%PDF-1.7 this is no PDF")),
    ]
    endpoint = client.post(SUBMIT, files=files).json()["status_endpoint"]
    before = client.get(endpoint)
    assert before.headers["cache-control"] == "private, no-cache"
    assert int(before.headers["retry-after"]) > 0
    assert before.json()["status"] == "pending"
    assert before.json()["result"] is None
    assert inbox.work() is JobStatus.COMPLETED
    after = client.get(endpoint)
    assert "retry-after" not in after.headers
    job = after.json()
    assert (job["status"], job["progress"], job["processed_files"]) == ("completed", 100, 2)
    assert {key: job["result"][key] for key in ("total_files", "successful", "failed")} == {
        "total_files": 2,
        "successful": 1,
        "failed": 1,
    }
    good, bad = job["result"]["results"]
    assert good["filename"] == "hello.txt"
    assert good["text_length"] > 0
    assert (bad["status"], bad["error_code"]) == ("failed", "corrupt_file")
    assert job["result"]["processing_time"] > 0


def test_ids_that_are_not_there(client: httpx.Client) -> None:
    """An unknown job is 404, a malformed id 422, another path 404, all as problems."""
    for method, path in (("GET", f"/job/{uuid4()}"), ("POST", f"/job/{uuid4()}/cancel")):
        assert_refused(client.request(method, path), 404, "job_not_found")
    assert_refused(client.get("/job/seven"), 422, "invalid_request")
    assert_refused(client.get("/nowhere"), 404, "not_found")
    assert_refused(client.get(SUBMIT), 405, "method_not_allowed")


def test_a_waiting_job_is_cancelled(client: httpx.Client) -> None:
    """Cancelling answers with the job, which is over."""
    job_id = client.post(SUBMIT, files=[("files", ("a.txt", b"x"))]).json()["job_id"]
    answer = client.post(f"/job/{job_id}/cancel")
    assert answer.status_code == 202
    assert answer.json()["status"] == "cancelled"


def test_the_list_is_paged_without_gaps(client: httpx.Client) -> None:
    """Following the cursors shows every job once, newest first."""
    sent = [
        client.post(SUBMIT, files=[("files", ("a.txt", b"x"))]).json()["job_id"] for _ in range(4)
    ]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/jobs", params={"limit": "2", "status": "pending"} | cursor).json()
        seen += [job["job_id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == sent[::-1]
    assert client.get("/jobs", params={"status": "failed"}).json()["jobs"] == []
    for wrong in ("cursor=x", "cursor=eHw", "limit=0", "status=lost"):
        assert_refused(client.get(f"/jobs?{wrong}"), 422, "invalid_request")


def test_health_says_whether_the_database_works(
    client: httpx.Client, settings: Settings, empty_database_url: str
) -> None:
    """200 with a migrated database; 503 with an empty one and with none."""
    assert client.get("/healthz").json()["status"] == "ok"
    for url, code in (
        (empty_database_url, "migrations_missing"),
        ("postgresql://nobody:sesame@127.0.0.1:1/none", "store_unavailable"),
    ):
        away = settings.model_copy(update={"database_url": SecretStr(url)})
        with running(away) as server, client_of(server) as other:
            problem = assert_refused(other.get("/healthz"), 503, code)
            assert "127.0.0.1" not in problem["detail"]


def test_other_sites_may_not_use_a_browser_here(client: httpx.Client) -> None:
    """Another Host name, and a write that comes from another site's page, are refused."""
    files = [("files", ("a.txt", b"x"))]
    assert_refused(
        client.get("/jobs", headers={"host": "evil.example"}), 421, "misdirected_request"
    )
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        answer = client.post(SUBMIT, files=files, headers={"origin": origin})
        assert_refused(answer, 403, "cross_site_request")
    own = str(client.base_url).rstrip("/")
    assert client.post(SUBMIT, files=files, headers={"origin": own}).status_code == 202
    assert client.get("/jobs", headers={"origin": "https://evil.example"}).status_code == 200
