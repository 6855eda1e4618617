"""How many pages are recognised at once, counted over all processes of this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator

# Before the number of each name.
PREFIX = "inbox-page"
_LOOK_SECONDS = 0.02


class Slots:
    """A bound shared by every process of this user.

    A slot is a name of a socket that no file stands for: the kernel gives it to one process at a
    time and takes it back however the process ends. Where there are no such names, the bound holds
    within one process.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._here = threading.BoundedSemaphore(count)

    @contextlib.contextmanager
    def one(self, enough: Callable[[], bool]) -> Iterator[bool]:
        """Hold a slot; False if `enough` came true before one was free."""
        while not self._here.acquire(timeout=_LOOK_SECONDS):
            if enough():
                yield False
                return
        try:
            held = self._take(enough)
            try:
                yield held is not None
            finally:
                if held is not None:
                    held.close()
        finally:
            self._here.release()

    def _take(self, enough: Callable[[], bool]) -> socket.socket | None:
        if not sys.platform.startswith("linux"):
            return socket.socket()
        waiting = threading.Event()
        while True:
            for number in range(self.count):
                name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                try:
                    name.bind(f"\0{PREFIX}-{os.getuid()}-{number}")
                except OSError:
                    name.close()
                else:
                    return name
            if enough():
                return None
            waiting.wait(_LOOK_SECONDS)


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
