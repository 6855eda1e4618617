"""The inbox that the application opened, as a dependency of its routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from inbox.service import Inbox


async def the_inbox(request: Request) -> Inbox:
    """The inbox that the application opened; a coroutine, since others are run in a thread."""
    inbox: Inbox = request.app.state.inbox
    return inbox


Door = Annotated[Inbox, Depends(the_inbox)]
