"""The application and the server that runs it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import uvicorn
from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from inbox.api import (
    corrections,
    downloads,
    events,
    exports,
    labels,
    pages,
    problems,
    reference,
    routes,
    web,
    webhooks,
)
from inbox.api.auth import Gate, the_caller
from inbox.api.describe import DESCRIPTION, describe_webhooks
from inbox.api.guard import LoopbackGuard, is_loopback
from inbox.api.limits import Intake
from inbox.api.logs import log_config
from inbox.api.lookout import Lookout
from inbox.api.metrics import Measured, install_metrics
from inbox.api.problems import responses
from inbox.api.routes import DISTRIBUTION
from inbox.api.traces import end_traces, install_traces
from inbox.errors import ConfigurationError, RateLimited, ScopeMissing, Unauthenticated
from inbox.opened import address
from inbox.service import Inbox
from inbox.settings import Settings
from inbox.webhooks import Courier

KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 10
MAX_REQUEST_HEAD_BYTES = 32 * 1024
ROUTERS = (
    routes.router,
    events.router,
    exports.router,
    downloads.router,
    pages.router,
    labels.router,
    corrections.router,
    webhooks.router,
)
DENIALS = responses(Unauthenticated, ScopeMissing, RateLimited)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The API as an ASGI application. It opens one `Inbox` when it starts.

    Args:
        settings: read from the environment if not given.
    """
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        inbox = await run_in_threadpool(Inbox, settings)
        try:
            async with _at_work(app, inbox):
                yield
        finally:
            await run_in_threadpool(inbox.close)
            await run_in_threadpool(end_traces, app)

    app = FastAPI(
        title="Document Inbox",
        version=version(DISTRIBUTION),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(the_caller)], responses=DENIALS)
    app.include_router(routes.public)
    app.include_router(web.public)
    app.include_router(downloads.public)
    install_metrics(app, DENIALS)
    reference.install(app)
    describe_webhooks(app)
    app.add_middleware(Measured)
    if not (settings.allow_open or settings.closed):
        app.add_middleware(LoopbackGuard)
    install_traces(app, settings)
    return app


@asynccontextmanager
async def _at_work(app: FastAPI, inbox: Inbox) -> AsyncIterator[None]:
    """What runs beside the requests: the lookout and the courier."""
    settings = inbox.settings
    app.state.inbox = inbox
    app.state.gate = Gate(settings, inbox.check_key)
    app.state.desk = pages.Desk()
    app.state.intake = Intake(settings.max_submissions)
    app.state.lookout = lookout = Lookout(inbox.last_events, settings.watch_interval_seconds)
    courier = Courier(
        inbox,
        timeout=settings.webhook_timeout_seconds,
        first_pause=settings.webhook_retry_seconds,
        allow_private=settings.webhook_allow_private,
        look_seconds=min(1.0, settings.webhook_retry_seconds),
    )
    tasks = [asyncio.create_task(lookout.run()), asyncio.create_task(courier.run())]
    try:
        yield
    finally:
        lookout.close()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def check_address(settings: Settings) -> None:
    """Refuse to be reached by strangers who are not asked who they are.

    Raises:
        ConfigurationError: the address is not this machine's own, and callers are not asked for
            credentials, and nobody said that this is meant.
    """
    if settings.allow_open or settings.closed or is_loopback(settings.host):
        return
    raise ConfigurationError(
        "INBOX_HOST is an address that other machines reach, and the API asks nobody who they "
        "are; set INBOX_AUTH=required and make keys with `inbox keys create`, or use 127.0.0.1, "
        "or set INBOX_ALLOW_OPEN=true behind a gateway that asks"
    )


class Server(uvicorn.Server):
    """Ends the streams and waits of the application first when it is told to stop."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; see uvicorn."""
        app = self.config.app
        if isinstance(app, FastAPI):
            lookout: Lookout | None = getattr(app.state, "lookout", None)
            if lookout is not None:
                lookout.close()
        await super().shutdown(sockets)


def server_of(settings: Settings) -> uvicorn.Server:
    """The server that runs the API on the address of the settings."""
    return Server(
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
            log_config=log_config(settings),
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
