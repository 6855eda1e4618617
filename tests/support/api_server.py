"""The API on a free port of this process, and clients of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from inbox.api import server_of
from inbox.settings import Settings

DEADLINE = 120


@contextmanager
def running(settings: Settings) -> Iterator[uvicorn.Server]:
    """The API on a free port, in a thread."""
    server = server_of(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        assert server.started
        yield server
    finally:
        server.should_exit = True
        thread.join(DEADLINE)
        assert not thread.is_alive()


@contextmanager
def client_of(server: uvicorn.Server) -> Iterator[httpx.Client]:
    """An HTTP client of that server."""
    address = f"http://127.0.0.1:{port_of(server)}"
    with httpx.Client(base_url=address, timeout=30, verify=False) as client:  # plain HTTP
        yield client


def port_of(server: uvicorn.Server) -> int:
    """The port it was given."""
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


def until(promise: Callable[[], object]) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + DEADLINE
    while not promise():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
