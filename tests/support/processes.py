"""Signals to processes that may have ended meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from contextlib import suppress

import psutil


def send(processes: Iterable[psutil.Process], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to each that is still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def children(parent: int, word: str, *, all_below: bool = False) -> list[psutil.Process]:
    """The children of a process that run with this word among their arguments, oldest first."""
    found = []
    for child in psutil.Process(parent).children(recursive=all_below):
        with suppress(psutil.NoSuchProcess):  # one that ended, reaped or not, has no arguments
            if word in child.cmdline():
                found.append((child.create_time(), child.pid, child))
    return [child for _, _, child in sorted(found)]


def left_after(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that are still there after so many seconds at most."""
    return psutil.wait_procs(list(processes), timeout=seconds)[1]


def hear_sigint() -> None:
    """Before a child begins: a test run in the background has SIGINT ignored, and so would it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
