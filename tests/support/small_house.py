"""The API and a worker in threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from api_server import port_of, running

from inbox.service import Inbox
from inbox.settings import Settings

SECONDS = 120


@contextmanager
def small_house(settings: Settings) -> Iterator[str]:
    """Its URL; what is submitted there is worked on."""
    stop = threading.Event()

    def work() -> None:
        with Inbox(settings) as inbox:
            while not stop.is_set():
                if inbox.work() is None:
                    stop.wait(0.05)

    worker = threading.Thread(target=work)
    with running(settings) as server:
        worker.start()
        try:
            yield f"http://127.0.0.1:{port_of(server)}"
        finally:
            stop.set()
            worker.join(SECONDS)
            assert not worker.is_alive()
