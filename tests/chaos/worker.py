"""A worker without Prefect: claims, reads, classifies, records, finishes, until it is stopped.

It writes a line to CHAOS_EFFECTS for every file that it begins and for every write that is refused.
CHAOS_PACE: seconds that each file takes on top. CHAOS_CLOCK: seconds that its clocks are wrong by.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from inbox import File, Inbox, InboxError, JobStatus, Lease, LeaseLost, StopWork, TransientError
from inbox.settings import Settings

EFFECTS = Path(os.environ["CHAOS_EFFECTS"])
PACE = float(os.environ.get("CHAOS_PACE", "0.05"))
TRIES = 4
PATIENCE = 120.0


def note(event: str, lease: Lease, file: File | None = None) -> None:
    """Add one line; a line is written whole or not at all."""
    line = {
        "event": event,
        "pid": os.getpid(),
        "job": str(lease.job_id),
        "token": lease.token,
        "file": file and str(file.id),
    }
    descriptor = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (json.dumps(line) + "\n").encode())
    os.close(descriptor)


def set_clock(wrong_by: float) -> None:
    """Let this process believe in another time of day."""
    true_time, true_datetime = time.time, dt.datetime

    class Wrong(true_datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return true_datetime.now(tz) + dt.timedelta(seconds=wrong_by)

    time.time = lambda: true_time() + wrong_by
    dt.datetime = Wrong  # type: ignore[misc]


def attempt(inbox: Inbox, lease: Lease, file: File) -> None:
    """Read and classify one file, as the tasks of the flow do: what is transient is tried again."""
    for left in reversed(range(TRIES)):
        note("begin", lease, file)
        try:
            document = inbox.extract(lease, file)
            time.sleep(PACE)
            inbox.classify(lease, file, document)
        except StopWork:
            raise
        except InboxError as error:
            if left and isinstance(error, TransientError):
                time.sleep(0.5)
                continue
            inbox.fail(lease, file, error)
        return


def do_job(inbox: Inbox, lease: Lease) -> None:
    """Every file, then the end."""
    with inbox.hold(lease):
        for file in lease.files:
            try:
                attempt(inbox, lease, file)
            except LeaseLost:
                note("refused", lease, file)
                return
            except StopWork:
                break
        try:
            if inbox.finish(lease) == JobStatus.PENDING:
                note("handed back", lease)
        except LeaseLost:
            note("refused", lease)


def main() -> None:
    """Work until SIGTERM."""

    def stop(_number: int, _frame: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, stop)
    if wrong_by := float(os.environ.get("CHAOS_CLOCK", "0")):
        set_clock(wrong_by)
    settings = Settings()
    with Inbox(settings, PATIENCE) as inbox:
        while True:
            lease = patiently(lambda: inbox.reap() * 0 or inbox.claim())
            if lease is None:
                time.sleep(0.1)
            else:
                patiently(lambda lease=lease: do_job(inbox, lease))  # type: ignore[misc]


def patiently(step: Callable[[], Lease | None]) -> Lease | None:
    """Do a step; a world that stays away longer than the patience is no reason to end."""
    try:
        return step()
    except TransientError:
        return None


if __name__ == "__main__":
    main()
