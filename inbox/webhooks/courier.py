"""Delivers the messages of the outbox.

Any number of couriers may work at once: a message is claimed for a while, sent, and settled. One
that dies in between leaves a message that is claimed again, under the same id, so that receivers
can tell a repetition. An answer of 2xx is a delivery, 410 the receiver's wish to hear no more, and
everything else (redirects too, which are not followed) a failure that is tried again later: after
5, 20, 80 … seconds, at most half a day, a fifth more or less by chance, up to a fixed number.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import Sequence
from typing import Protocol

import httpx

from inbox.errors import InboxError, UrlRefused
from inbox.interface import Delivery, Outcome, Verdict
from inbox.webhooks.guard import Target, resolve
from inbox.webhooks.sign import headers_of

AT_ONCE = 8
GROWTH = 4
LONGEST_PAUSE_SECONDS = 43_200.0
JITTER = 0.2
LOOK_SECONDS = 1.0
AGENT = "document-inbox-webhooks"
log = logging.getLogger(__name__)


class Office(Protocol):
    """Where messages wait."""

    def claim_messages(self, limit: int, seconds: float) -> Sequence[Delivery]:
        """Take messages that are due."""
        ...

    def settle_message(self, sent: Delivery, outcome: Outcome, retry_seconds: float) -> str | None:
        """Write down how an attempt went."""
        ...


class Courier:
    """Sends what is due until it is cancelled.

    Args:
        office: where messages wait.
        timeout: seconds that one attempt may take in all.
        first_pause: seconds before the second attempt.
        allow_private: send to addresses that are not public, and without TLS.
        look_seconds: how often to look for messages.
    """

    def __init__(
        self,
        office: Office,
        *,
        timeout: float,
        first_pause: float,
        allow_private: bool = False,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._office = office
        self._timeout = timeout
        self._first_pause = first_pause
        self._allow_private = allow_private
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Deliver for as long as the task lives; a database that is away is asked again."""
        under_way: set[asyncio.Task[None]] = set()
        # No proxy of the environment: it would connect where we did not look.
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
            try:
                while True:
                    for message in await self._claim(AT_ONCE - len(under_way)):
                        task = asyncio.create_task(self._deliver(client, message))
                        under_way.add(task)
                        task.add_done_callback(under_way.discard)
                    await asyncio.sleep(self._look_seconds)
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    async def _claim(self, room: int) -> Sequence[Delivery]:
        if room <= 0:
            return ()
        try:
            # Half as long again as an attempt may take: then its courier is dead.
            return await asyncio.to_thread(
                self._office.claim_messages, room, self._timeout * 1.5 + 10
            )
        except InboxError as error:
            log.warning("webhooks: %s", error.code)
            await asyncio.sleep(self._look_seconds * 4)
            return ()

    async def _deliver(self, client: httpx.AsyncClient, message: Delivery) -> None:
        outcome = await self.attempt(client, message)
        pause = max(self.pause(message.attempt), min(outcome.retry_after or 0, 3600.0))
        try:
            await asyncio.to_thread(self._office.settle_message, message, outcome, pause)
        except InboxError as error:  # the claim lapses, and the message is sent again
            log.warning("webhooks: %s", error.code)

    async def attempt(self, client: httpx.AsyncClient, message: Delivery) -> Outcome:
        """Send a message once; how that went. Whatever the receiver does, it ends in time."""
        began = time.monotonic()
        status: int | None = None
        retry_after: float | None = None
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout):
                target = await asyncio.to_thread(
                    resolve, message.url, allow_private=self._allow_private
                )
                status, retry_after = await _post(client, target, message)
        except UrlRefused as refused:
            error = refused.code
        except TimeoutError:
            error = "no_answer_in_time"
        except OSError:
            error = "name_not_found"
        except httpx.HTTPError as failure:
            error = (
                "no_answer_in_time"
                if isinstance(failure, httpx.TimeoutException)
                else "no_connection"
            )
        verdict = verdict_of(status)
        if error is None and verdict != Verdict.DELIVERED:
            error = "redirect_not_followed" if 300 <= (status or 0) < 400 else "refused"  # noqa: PLR2004
        return Outcome(
            verdict=verdict,
            seconds=time.monotonic() - began,
            status=status,
            error_code=error,
            retry_after=retry_after,
        )

    def pause(self, attempt: int) -> float:
        """Seconds between this attempt and the next."""
        steady = min(LONGEST_PAUSE_SECONDS, self._first_pause * GROWTH ** min(attempt - 1, 20))
        return float(steady * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - no secret


def verdict_of(status: int | None) -> Verdict:
    """What an answer means; None is no answer."""
    if status is not None and 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return Verdict.DELIVERED
    return Verdict.GONE if status == httpx.codes.GONE else Verdict.RETRY


async def _post(
    client: httpx.AsyncClient, target: Target, message: Delivery
) -> tuple[int, float | None]:
    body = json.dumps(message.payload, separators=(",", ":"), ensure_ascii=False).encode()
    request = client.build_request(
        "POST",
        target.url,
        content=body,
        headers={
            **headers_of(message.id, message.secret, body),
            "host": target.authority,
            "user-agent": AGENT,
            "connection": "close",
        },
        # The certificate must be the name's, though the connection goes to the address.
        extensions={"sni_hostname": target.host},
        timeout=None,
    )
    answer = await client.send(request, stream=True)
    try:
        after = answer.headers.get("retry-after", "")
        return answer.status_code, float(after) if after.isdecimal() else None
    finally:
        await answer.aclose()  # the body is nobody's business
