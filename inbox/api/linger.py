"""An answer that is given while the client is still sending.

Closing a connection with unread bytes resets it, and the reset can overtake the answer. So the
answer goes out whole, what still comes is thrown away for a few seconds, then the connection
is closed.
"""

from __future__ import annotations

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LINGER_SECONDS = 5
KEY = "inbox.body_is_unread"


def mark_unread(request: Request, *, unread: bool) -> None:
    """Remember whether there may be more of the request's body."""
    request.scope[KEY] = unread


def body_is_unread(request: Request) -> bool:
    """Whether a handler began to read the body and has not come to its end."""
    return bool(request.scope.get(KEY, False))


class LingeringResponse(Response):
    """Sends another response, then drains the request and closes the connection."""

    def __init__(self, answer: Response) -> None:
        headers = {**answer.headers, "connection": "close"}
        super().__init__(bytes(answer.body), status_code=answer.status_code, headers=headers)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with anyio.move_on_after(LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
