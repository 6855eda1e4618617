"""Webhooks: real receivers on this machine, the real outbox, the real courier."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import pytest
from api_server import client_of, running, until
from standardwebhooks import Webhook as Verifier

from inbox.interface import Webhook, WebhookMessage
from inbox.model import Blob, Order, Upload
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.webhooks import Courier


class Received(NamedTuple):
    """A request as it came in."""

    headers: dict[str, str]
    body: bytes
    at: float


class Receiver(ThreadingHTTPServer):
    """Answers as it is told, and keeps what it got."""

    daemon_threads = True

    def __init__(self, answer: Callable[[int], int], **headers: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.headers = answer, headers
        self.received: list[Received] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/hook?x=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(headers, body, time.monotonic()))
        self.send_response(self.server.answer(len(self.server.received)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiver(answer: Callable[[int], int], **headers: str) -> Iterator[Receiver]:
    """A receiver in a thread; `answer` is given the number of the request."""
    with Receiver(answer, **headers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Receivers on this machine are allowed, and pauses are short."""
    changes = {"webhook_allow_private": True, "webhook_retry_seconds": 0.01}
    return settings.model_copy(update=changes | {"webhook_timeout_seconds": 1.0})


@pytest.fixture
def delivering(settings: Settings) -> Iterator[httpx.Client]:
    """An API, which delivers."""
    with running(settings) as server, client_of(server) as client:
        yield client


def cancelled_job(inbox: Inbox) -> UUID:
    """A job that is over."""
    job_id = uuid4()
    uploads = (Upload(name="a", blob=Blob(key=f"{job_id}/1")),)
    inbox.store.submit(job_id, Order(uploads=uploads))
    inbox.cancel(job_id)
    return job_id


def only_message(inbox: Inbox, webhook: Webhook) -> WebhookMessage:
    """The one message that there is."""
    (message,) = inbox.webhook_log(webhook.id)
    return message


def test_a_message_comes_signed(delivering: httpx.Client, inbox: Inbox) -> None:
    """A library of the specification accepts it, and it tells of the job and of no document."""
    with receiver(lambda _: 204) as there:
        made = delivering.post("/webhooks", json={"url": there.url})
        assert made.status_code == 201, made.text
        job_id = cancelled_job(inbox)
        until(lambda: there.received)
        (got,) = there.received
        payload = Verifier(made.json()["secret"]).verify(got.body, got.headers)
        assert payload["type"] == "job.cancelled"
        assert payload["data"]["job_id"] == str(job_id)
        assert got.headers["host"] == f"127.0.0.1:{there.server_port}"
        log = f"/webhooks/{made.json()['id']}/messages"
        until(lambda: delivering.get(log).json()["messages"][0]["state"] == "delivered")
        (attempt,) = delivering.get(log).json()["messages"][0]["attempts"]
    assert (attempt["attempt"], attempt["status"]) == (1, 204)


def test_five_failures_then_success(delivering: httpx.Client, inbox: Inbox) -> None:
    """Six attempts under one id with growing pauses; then nothing more; then a replay."""
    with receiver(lambda number: 500 if number <= 5 else 200) as there:
        webhook, _ = inbox.create_webhook(there.url)
        cancelled_job(inbox)
        until(lambda: only_message(inbox, webhook).state == "delivered")
        message = only_message(inbox, webhook)
        assert [each.status for each in message.attempts] == [500] * 5 + [200]
        assert [each.attempt for each in message.attempts] == [1, 2, 3, 4, 5, 6]
        assert len({got.headers["webhook-id"] for got in there.received}) == 1
        gaps = [b.at - a.at for a, b in zip(there.received, there.received[1:], strict=False)]
        assert gaps[4] > 0.01 * 4**4 * 0.8
        replayed = delivering.post(f"/webhooks/messages/{message.id}/replay")
        assert replayed.json()["state"] == "pending"
        until(lambda: only_message(inbox, webhook).state == "delivered")
        assert len(there.received) == 7
        assert there.received[6].headers["webhook-id"] == there.received[0].headers["webhook-id"]
    assert [each.replay for each in only_message(inbox, webhook).attempts] == [0] * 6 + [1]


def test_redirects_are_not_followed(settings: Settings, inbox: Inbox) -> None:
    """A receiver that sends us to this machine gets failures, and this machine nothing."""
    few = settings.model_copy(update={"webhook_max_attempts": 2})
    with receiver(lambda _: 200) as inside:
        answer = receiver(lambda _: 307, Location=inside.url)
        with answer as there, running(few):
            webhook, _ = inbox.create_webhook(there.url)
            cancelled_job(inbox)
            until(lambda: only_message(inbox, webhook).state == "failed")
            assert len(there.received) == 2
        assert inside.received == []
    codes = {each.error_code for each in only_message(inbox, webhook).attempts}
    assert codes == {"redirect_not_followed"}


def test_one_that_never_answers_is_given_up_in_time(settings: Settings, inbox: Inbox) -> None:
    """Each attempt ends when its time is over, others are delivered meanwhile, and it ends."""
    few = settings.model_copy(update={"webhook_max_attempts": 2, "webhook_timeout_seconds": 0.3})
    with socket.create_server(("127.0.0.1", 0)) as silent, receiver(lambda _: 200) as there:
        mute, _ = inbox.create_webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        good, _ = inbox.create_webhook(there.url)
        with running(few):
            for _ in range(3):
                cancelled_job(inbox)
            until(lambda: all(m.state == "delivered" for m in inbox.webhook_log(good.id)))
            until(lambda: all(m.state == "failed" for m in inbox.webhook_log(mute.id)))
    attempts = [each for message in inbox.webhook_log(mute.id) for each in message.attempts]
    assert len(attempts) == 6
    assert {each.error_code for each in attempts} == {"no_answer_in_time"}
    assert all(each.seconds < 5 for each in attempts)
    assert len(there.received) == 3


def test_a_receiver_that_drips_is_cut_off(settings: Settings, inbox: Inbox) -> None:
    """A byte of the head every now and then does not hold the courier for longer than allowed."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        webhook, _ = _private(inbox, f"http://127.0.0.1:{server.getsockname()[1]}/")
        cancelled_job(inbox)
        (delivery,) = inbox.claim_messages(1, 60)
        courier = Courier(inbox, timeout=0.3, first_pause=1, allow_private=True)

        async def attempt() -> Any:
            async with httpx.AsyncClient() as client:
                return await courier.attempt(client, delivery)

        outcome = asyncio.run(attempt())
        stop.set()
        thread.join()
    assert (outcome.verdict, outcome.error_code) == ("retry", "no_answer_in_time")
    assert webhook.disabled_at is None


def test_gone_means_gone(delivering: httpx.Client, inbox: Inbox) -> None:
    """410 disables the webhook: later jobs are not told of, until it is enabled again."""
    with receiver(lambda number: 410 if number == 1 else 200) as there:
        webhook, _ = inbox.create_webhook(there.url)
        cancelled_job(inbox)
        until(lambda: only_message(inbox, webhook).state == "failed")
        (disabled,) = inbox.webhooks()
        assert disabled.disabled_reason == "gone"
        cancelled_job(inbox)
        assert len(inbox.webhook_log(webhook.id)) == 1
        assert delivering.post(f"/webhooks/{webhook.id}/enable").json()["disabled_at"] is None
        delivering.post(f"/webhooks/{webhook.id}/test")
        until(lambda: len(there.received) == 2)
        assert json.loads(there.received[1].body)["type"] == "webhook.test"
        assert delivering.delete(f"/webhooks/{webhook.id}").status_code == 204
        assert delivering.get(f"/webhooks/{webhook.id}/messages").status_code == 404


def test_private_addresses_are_refused(settings: Settings, inbox: Inbox) -> None:
    """At registration where the URL names one, at delivery where a name leads to one."""
    guarded = settings.model_copy(
        update={"webhook_allow_private": False, "webhook_max_attempts": 1}
    )
    with receiver(lambda _: 200) as there, running(guarded) as server, client_of(server) as client:
        for url in (there.url, "https://10.0.0.1/", "https://[::1]/", "ftp://example.com/"):
            refused = client.post("/webhooks", json={"url": url})
            assert (refused.status_code, refused.json()["code"]) == (422, "url_refused")
        webhook, _ = _private(inbox, f"https://localhost:{there.server_port}/")
        cancelled_job(inbox)
        until(lambda: only_message(inbox, webhook).state == "failed")
        assert there.received == []
    assert only_message(inbox, webhook).attempts[0].error_code == "url_refused"


def test_several_couriers_send_a_message_once(settings: Settings, inbox: Inbox) -> None:
    """Two APIs on one outbox: every message is delivered, none twice."""
    with receiver(lambda _: 200) as there:
        webhook, _ = inbox.create_webhook(there.url)
        for _ in range(30):
            cancelled_job(inbox)
        with running(settings), running(settings):
            until(lambda: all(m.state == "delivered" for m in inbox.webhook_log(webhook.id)))
        ids = [got.headers["webhook-id"] for got in there.received]
    assert len(ids) == len(set(ids)) == 30


def test_a_dead_courier_loses_nothing(inbox: Inbox) -> None:
    """What it had claimed is due again when its time is over; a late answer of it counts not."""
    webhook, _ = _private(inbox, "http://127.0.0.1:1/")
    cancelled_job(inbox)
    (first,) = inbox.claim_messages(5, 0.0)
    (second,) = inbox.claim_messages(5, 60.0)
    assert (first.id, first.attempt, second.attempt) == (second.id, 1, 2)
    assert inbox.claim_messages(5, 60.0) == ()
    assert only_message(inbox, webhook).state == "pending"


def test_no_change_without_its_message(inbox: Inbox, settings: Settings) -> None:
    """The message is written with the change or not at all: a client's own jobs only."""
    with receiver(lambda _: 200) as there:
        mine, _ = inbox.create_webhook(there.url, "me")
        theirs, _ = inbox.create_webhook(there.url, "them")
        job_id = uuid4()
        uploads = (Upload(name="a", blob=Blob(key=f"{job_id}/1")),)
        inbox.store.submit(job_id, Order(uploads=uploads, client_id="me"))
        assert inbox.webhook_log(mine.id) == ()
        inbox.cancel(job_id)
        inbox.cancel(job_id)
        assert [message.job_id for message in inbox.webhook_log(mine.id)] == [job_id]
        assert inbox.webhook_log(theirs.id) == ()


def test_a_client_has_so_many_webhooks(delivering: httpx.Client) -> None:
    """Twenty; the next is refused."""
    url = {"url": "https://example.com/"}
    codes = [delivering.post("/webhooks", json=url).status_code for _ in range(21)]
    assert codes == [201] * 20 + [422]


def _private(inbox: Inbox, url: str) -> tuple[Webhook, str]:
    """A webhook whose URL was not looked at."""
    webhook = inbox.store.create_webhook(uuid4(), "local", url, "whsec_c2VjcmV0", ["job.cancelled"])
    return webhook, "whsec_c2VjcmV0"
