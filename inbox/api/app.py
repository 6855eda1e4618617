"""The application and the server that runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from inbox.api import corrections, labels, problems
from inbox.api.describe import DESCRIPTION
from inbox.api.guard import LoopbackGuard, is_loopback
from inbox.api.routes import DISTRIBUTION, router
from inbox.errors import ConfigurationError
from inbox.opened import address
from inbox.service import Inbox
from inbox.settings import Settings

KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 10
MAX_REQUEST_HEAD_BYTES = 32 * 1024


def create_app(settings: Settings | None = None) -> FastAPI:
    """The API as an ASGI application. It opens one `Inbox` when it starts.

    Args:
        settings: read from the environment if not given.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.inbox = inbox = await run_in_threadpool(Inbox, settings)
        try:
            yield
        finally:
            await run_in_threadpool(inbox.close)

    app = FastAPI(
        title="Document Inbox",
        version=version(DISTRIBUTION),
        description=DESCRIPTION,
        lifespan=lifespan,
    )
    problems.install(app)
    app.include_router(router)
    app.include_router(labels.router)
    app.include_router(corrections.router)
    if not settings.allow_open:
        app.add_middleware(LoopbackGuard)
    return app


def check_address(settings: Settings) -> None:
    """Refuse to be reached by strangers: the API asks nobody who they are.

    Raises:
        ConfigurationError: the address is not this machine's own, and nobody said that is meant.
    """
    if not settings.allow_open and not is_loopback(settings.host):
        raise ConfigurationError(
            "INBOX_HOST is an address that other machines reach, and the API asks nobody who "
            "they are; use 127.0.0.1, or set INBOX_ALLOW_OPEN=true behind a gateway that does"
        )


def server_of(settings: Settings) -> uvicorn.Server:
    """The server that runs the API on the address of the settings."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            http="h11",
            ws="none",
            h11_max_incomplete_event_size=MAX_REQUEST_HEAD_BYTES,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
        )
    )


def serve(settings: Settings) -> None:
    """Run the API on the address of the settings until it is told to stop.

    Raises:
        ConfigurationError: the address may not be used, or there is no database.
    """
    check_address(settings)
    address(settings)  # said here, where it is one sentence
    server_of(settings).run()
