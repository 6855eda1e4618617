"""Who is calling: an API key, a user of a Supabase project, or anybody.

A key is looked up by its digest and remembered for some seconds, good or not, so that a flood of
requests is not a flood of queries; a revoked key is good for that long.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from inbox.api.limits import Buckets
from inbox.api.linger import mark_unread
from inbox.api.tokens import Tokens
from inbox.errors import ScopeMissing, Unauthenticated
from inbox.front import EVERYTHING, REQUESTS_A_MINUTE
from inbox.interface import ApiKey, CheckedKey, Scope
from inbox.keys import PREFIX, digest
from inbox.settings import Settings

REMEMBERED_SECONDS = 5.0
REMEMBERED_KEYS = 4096
LOCAL = "local"
SUBMIT_PATH = "/classify-documents-async"
METRICS_PATH = "/metrics"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="key_or_token",
    description="An API key (`inbox keys create`), or the access token of a Supabase user. "
    "Not needed while the API is open.",
)


class Caller(NamedTuple):
    """Who is calling.

    Attributes:
        owner: whose jobs and webhooks are made.
        client_id: whose jobs can be seen; None for everybody's.
    """

    owner: str
    client_id: str | None


ANYBODY = Caller(LOCAL, None)


class Gate:
    """Tells who is calling.

    Args:
        settings: who may call, and what tokens are checked with.
        check: looks up an API key.
        clock: in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        check: Callable[[str | None], CheckedKey],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._check, self._clock = settings, check, clock
        self._tokens = Tokens(settings) if settings.checks_tokens else None
        self._known: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()
        self._configured = False
        self._open_until = 0.0
        self._buckets = Buckets(clock)

    async def admit(self, credentials: str | None, scope: Scope) -> Caller:
        """Who is calling, if that is allowed.

        Raises:
            Unauthenticated: there are no credentials, or none that are good.
            ScopeMissing: they are not for this.
            RateLimited: they were used too often.
            StoreUnavailable: the database does not answer.
        """
        if await self._is_open():
            return ANYBODY
        if not credentials:
            raise Unauthenticated("an API key or a token is needed: Authorization: Bearer …")
        if credentials.startswith(PREFIX):
            key = await self._key(credentials)
            who, scopes, per_minute = key.client_id, key.scopes, key.per_minute
            bucket = str(key.id)
        else:
            who = await self._user(credentials)
            scopes, per_minute, bucket = EVERYTHING, REQUESTS_A_MINUTE, who
        self._buckets.take(bucket, per_minute)
        if scope not in scopes:
            raise ScopeMissing(f"these credentials lack the scope {scope.value}")
        return Caller(who, who)

    async def _is_open(self) -> bool:
        if self._settings.auth == "open":
            return True
        if self._settings.closed or self._configured:
            return False
        if self._clock() >= self._open_until:
            self._configured = (await run_in_threadpool(self._check, None)).configured
            self._open_until = self._clock() + REMEMBERED_SECONDS
        return not self._configured

    async def _key(self, text: str) -> ApiKey:
        sha256 = digest(text)
        until, key = self._known.get(sha256, (0.0, None))
        if self._clock() >= until:
            key = (await run_in_threadpool(self._check, text)).key
            self._known[sha256] = (self._clock() + REMEMBERED_SECONDS, key)
            self._known.move_to_end(sha256)
            if len(self._known) > REMEMBERED_KEYS:
                self._known.popitem(last=False)
        if key is None:
            raise _refused()
        return key

    async def _user(self, token: str) -> str:
        user = None if self._tokens is None else await run_in_threadpool(self._tokens.user, token)
        if user is None:
            raise _refused()
        return user


def scope_of(method: str, path: str) -> Scope:
    """What a request needs."""
    if path == METRICS_PATH:
        return Scope.METRICS
    if method in SAFE_METHODS:
        return Scope.READ
    return Scope.SUBMIT if path == SUBMIT_PATH else Scope.MANAGE


async def the_caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Caller:
    """Who sends this request."""
    gate: Gate = request.app.state.gate
    body_follows = not {"content-length", "transfer-encoding"}.isdisjoint(request.headers.keys())
    mark_unread(request, unread=body_follows)  # a refusal is read by who is still sending
    scope = scope_of(request.method, request.url.path)
    caller = await gate.admit(None if bearer is None else bearer.credentials, scope)
    mark_unread(request, unread=False)
    return caller


Known = Annotated[Caller, Depends(the_caller)]


def _refused() -> Unauthenticated:
    # One sentence for whatever is wrong with them: wrong, expired, revoked, malformed.
    return Unauthenticated("these credentials are not good here")
