"""Uploads over real HTTP: limits, odd forms, connections that break, full disks."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from api_answers import SUBMIT, assert_nothing_left, assert_refused, files_in
from api_server import client_of, port_of, running, until
from pydantic import SecretStr

from inbox.errors import NoSpace
from inbox.service import Inbox
from inbox.settings import Settings

MEBIBYTE = 1024 * 1024
DEADLINE = 120
HEAD = (
    b"POST /classify-documents-async HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
)
PART = b'--b\r\nContent-Disposition: form-data; name="files"; filename="big.bin"\r\n\r\n'
FILE = b'Content-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n'
EMPTY = b'Content-Disposition: form-data; name="files"; filename=""\r\n\r\n\r\n'


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the API."""
    with running(settings) as server, client_of(server) as opened:
        yield opened


@pytest.fixture
def small(settings: Settings) -> Iterator[httpx.Client]:
    """A client of an API with low limits."""
    limits = {"max_files": 3, "max_file_bytes": 1000, "max_job_bytes": 2000}
    with running(settings.model_copy(update=limits)) as server, client_of(server) as opened:
        yield opened


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([1001], "file_too_large"),
        ([1000, 1000, 1], "job_too_large"),
        ([1, 1, 1, 1], "too_many_files"),
    ],
)
def test_what_is_too_large_is_refused(
    small: httpx.Client, settings: Settings, inbox: Inbox, files: list[int], code: str
) -> None:
    """One file, all files together, or too many of them: 413, and nothing stays."""
    parts = [("files", (f"{number}.bin", b"x" * size)) for number, size in enumerate(files)]
    assert_refused(small.post(SUBMIT, files=parts), 413, code)
    assert_nothing_left(settings, inbox)


def test_what_just_fits_is_taken(small: httpx.Client) -> None:
    """The limits are the largest that is allowed."""
    parts = [("files", (f"{number}.bin", b"x" * size)) for number, size in enumerate([1000, 999])]
    parts.append(("files", ("last.bin", b"x")))
    assert small.post(SUBMIT, files=parts).json()["total_files"] == 3


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "no_files"),
        ([EMPTY, EMPTY], "no_files"),
        ([b'Content-Disposition: form-data; name="files"\r\n\r\n\r\n'], "no_files"),
        ([b'Content-Disposition: form-data; name="files"\r\n\r\na.pdf\r\n'], "invalid_request"),
        ([FILE.replace(b'"files"', b'"other"')], "invalid_request"),
        ([FILE.replace(b"form-data", b"attachment")], "invalid_request"),
        ([b'Content-Disposition: form-data; name="labels"\r\n\r\n[\r\n', FILE], "invalid_labels"),
        ([FILE, b'Content-Disposition: form-data; name="labels"\r\n\r\n[1]\r\n'], "invalid_labels"),
        (
            [FILE, b'Content-Disposition: form-data; name="labels"\r\n\r\n\xff\r\n'],
            "invalid_labels",
        ),
        (
            [b'Content-Disposition: form-data; name="labels"\r\n\r\na,b\r\n'] * 2 + [FILE],
            "invalid_labels",
        ),
        (
            [FILE] + [b'Content-Disposition: form-data; name="x"\r\n\r\n\r\n'] * 40,
            "invalid_request",
        ),
        ([EMPTY] * 40 + [FILE], "invalid_request"),
        (
            [FILE, b'Content-Disposition: form-data; name="x"\r\n\r\n' + b"y" * 2_000_000],
            "invalid_request",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: httpx.Client, settings: Settings, inbox: Inbox, parts: list[bytes], code: str
) -> None:
    """422 with a sentence, and nothing stays."""
    body = b"".join(b"--b\r\n" + part for part in parts) + b"--b--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert_refused(client.post(SUBMIT, content=body, headers=headers), 422, code)
    assert_nothing_left(settings, inbox)


def test_a_body_that_breaks_off_is_refused(
    client: httpx.Client, settings: Settings, inbox: Inbox
) -> None:
    """A file whose end is missing never becomes a job."""
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post(SUBMIT, content=PART + b"half a file", headers=headers)
    assert_refused(answer, 422, "invalid_request")
    assert_nothing_left(settings, inbox)


def test_another_type_of_body_is_refused(client: httpx.Client) -> None:
    """JSON is not a form with files."""
    assert_refused(client.post(SUBMIT, json={"files": []}), 415, "not_multipart")
    assert_refused(client.post(SUBMIT), 415, "not_multipart")


def test_empty_inputs_of_a_form_are_ignored(client: httpx.Client) -> None:
    """A browser sends an empty part for a file input that was left alone."""
    body = b"--b\r\n" + EMPTY + b"--b\r\n" + FILE + b"--b\r\n" + EMPTY + b"--b--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post(SUBMIT, content=body, headers=headers).json()["total_files"] == 1


def test_a_file_without_a_name_is_a_file(client: httpx.Client, inbox: Inbox) -> None:
    """What has bytes is not dropped for want of a name."""
    body = b"--b\r\n" + EMPTY.replace(b"\r\n\r\n\r\n", b"\r\n\r\nbytes\r\n") + b"--b--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    job_id = UUID(client.post(SUBMIT, content=body, headers=headers).json()["job_id"])
    lease = inbox.claim(job_id)
    assert lease is not None
    assert [file.name for file in lease.files] == ["unnamed"]


def test_hundreds_of_files_are_one_job(client: httpx.Client) -> None:
    """The number of parts is bounded by the settings only."""
    parts = [("files", (f"{number}.txt", b"%d" % number)) for number in range(300)]
    assert client.post(SUBMIT, files=parts).json()["total_files"] == 300


def test_an_announced_excess_is_refused_unread(settings: Settings, inbox: Inbox) -> None:
    """A Content-Length over the limit is answered before a byte of the body is sent."""
    head = HEAD + b"Expect: 100-continue\r\nContent-Length: 10000000000\r\n\r\n"
    with running(settings) as server, connected(server) as connection:
        connection.sendall(head)
        answer = answer_on(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"job_too_large" in answer
    assert_nothing_left(settings, inbox)


@contextmanager
def connected(server: uvicorn.Server) -> Iterator[socket.socket]:
    """A bare connection to the server."""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=DEADLINE) as connection:
        yield connection


def answer_on(connection: socket.socket) -> bytes:
    """A whole problem document, with its head."""
    answer = b""
    while b"}" not in answer:
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    return answer


def test_an_upload_over_the_limit_is_cut_early(settings: Settings, inbox: Inbox) -> None:
    """60 MB with no length announced: the answer comes long before the end, nothing stays."""
    limited = settings.model_copy(update={"max_file_bytes": MEBIBYTE})
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    with running(limited) as server, connected(server) as connection:
        connection.sendall(head + b"%x\r\n%s\r\n" % (len(PART), PART))
        sent = 0
        while sent < 60 * MEBIBYTE and not select.select([connection], [], [], 0)[0]:
            connection.sendall(chunk)
            sent += 65536
        answer = answer_on(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"file_too_large" in answer
    assert sent < 20 * MEBIBYTE
    assert_nothing_left(settings, inbox)


def test_a_client_that_does_not_listen_still_reads_the_refusal(
    small: httpx.Client, settings: Settings, inbox: Inbox
) -> None:
    """One that sends all its bytes before it looks gets the answer, not a reset."""
    answer = small.post(SUBMIT, files=[("files", ("big.bin", b"x" * 8 * MEBIBYTE))])
    assert_refused(answer, 413, "job_too_large")
    limited = settings.model_copy(update={"max_file_bytes": 1000})
    with running(limited) as server, client_of(server) as client:
        answer = client.post(SUBMIT, files=[("files", ("big.bin", b"x" * 60 * MEBIBYTE))])
    assert_refused(answer, 413, "file_too_large")
    assert answer.headers["connection"] == "close"
    assert_nothing_left(settings, inbox)


def test_a_client_that_hangs_up_leaves_nothing(settings: Settings, inbox: Inbox) -> None:
    """Neither the file that was whole nor the half one stays, and there is no job."""
    head = HEAD + b"Content-Length: 100000000\r\n\r\n"
    with running(settings) as server:
        with connected(server) as connection:
            connection.sendall(head + PART + b"one\r\n" + PART + b"x" * 3 * MEBIBYTE)
            until(lambda: len(files_in(settings)) == 2)
        until(lambda: not files_in(settings))
    assert_nothing_left(settings, inbox)


def test_a_client_that_falls_silent_is_let_go(
    settings: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that stalls is given up after a while."""
    monkeypatch.setattr("inbox.api.uploads.IDLE_SECONDS", 0.2)
    monkeypatch.setattr("inbox.api.linger.LINGER_SECONDS", 0.2)
    with running(settings) as server, connected(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + PART + b"half")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert_nothing_left(settings, inbox)


def test_a_job_that_cannot_be_queued_leaves_no_blobs(settings: Settings) -> None:
    """The database is away: 503, come back later, and the bytes are gone."""
    url = SecretStr("postgresql://nobody:sesame@127.0.0.1:1/none")
    with (
        running(settings.model_copy(update={"database_url": url})) as server,
        client_of(server) as client,
    ):
        answer = client.post(SUBMIT, files=[("files", ("a.txt", b"x"))])
    problem = assert_refused(answer, 503, "store_unavailable")
    assert "127.0.0.1" not in problem["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert files_in(settings) == []


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [(NoSpace("no room on /secret"), 507, "no_space"), (OSError("/secret"), 500, "internal")],
)
def test_our_own_faults_tell_nothing_of_the_inside(
    settings: Settings, fault: Exception, status: int, code: str
) -> None:
    """A full disk is 507, an unforeseen error 500; neither shows what it was about."""

    def fail(_key: str) -> None:
        raise fault

    with running(settings) as server, client_of(server) as client:
        app: Any = server.config.app
        app.state.inbox.blobs.create = fail
        answer = client.post(SUBMIT, files=[("files", ("a.txt", b"x"))])
    assert "secret" not in json.dumps(assert_refused(answer, status, code))
