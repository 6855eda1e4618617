"""Nobody's browser is to be used against its owner.

The API asks nobody who they are and relies on being reached from this machine only. A web page
can still make a browser on this machine send it requests; two headers give that away.
"""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inbox.api.problems import problem

MISDIRECTED = (
    "This API answers to localhost only; a gateway in front of it must send that as Host, "
    "or INBOX_ALLOW_OPEN=true must be set."
)
CROSS_SITE = "Pages of other sites may not send requests here."


class LoopbackGuard:
    """Refuses requests for another host name (DNS rebinding) and writes from other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        if scope["type"] == "http":
            refusal = _refusal(scope["method"], Headers(scope=scope))
            if refusal is not None:
                status, code, detail = refusal
                await problem(status, code, detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(method: str, headers: Headers) -> tuple[int, str, str] | None:
    host = headers.get("host", "")
    if not is_loopback(_hostname(f"//{host}")):
        return (
            HTTPStatus.MISDIRECTED_REQUEST,
            "misdirected_request",
            MISDIRECTED,
        )
    origin = headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2] != host
    if method not in {"GET", "HEAD", "OPTIONS"} and foreign:
        return (
            HTTPStatus.FORBIDDEN,
            "cross_site_request",
            CROSS_SITE,
        )
    return None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
