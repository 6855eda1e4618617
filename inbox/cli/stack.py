"""Commands that run programs: up, demo, worker."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from inbox.cli.base import Exit, app, note, say, settings
from inbox.settings import Settings

WATCH_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@app.command()
def up() -> None:
    """Start Postgres, Prefect, a worker and the API here. Ctrl-C stops them all."""
    from inbox.service import Inbox
    from inbox.up import Journal, Stack

    chosen = settings()
    with suppress(KeyboardInterrupt), stop_on_signal():
        stack = Stack(chosen, say, api_port=chosen.port, prefect_port=chosen.prefect_port)
        with stack:
            say("")
            say(f"  API        {stack.api_url}")
            say(f"  reference  {stack.api_url}/docs")
            say(f"  Prefect    {stack.prefect_url}")
            say("")
            say("Ctrl-C stops everything.")
            with Inbox(chosen) as inbox:
                journal = Journal(inbox, say)
                while True:
                    time.sleep(WATCH_SECONDS)
                    stack.watch()
                    journal.look()


@app.command()
def demo(
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Work in this folder and leave it; else a temporary one."),
    ] = None,
) -> None:
    """Run one job over sample documents, from start to clean end."""
    from inbox.cli.demo import run_demo

    with stop_on_signal(), tempfile.TemporaryDirectory(prefix="inbox-demo-") as temporary:
        home = (keep or Path(temporary)).absolute()
        raise typer.Exit(Exit.OK if run_demo(demo_settings(home), note) else Exit.FAILED)


@app.command()
def worker() -> None:
    """Register the deployments with Prefect, then run a worker.

    The server is that of PREFECT_API_URL.
    """
    from inbox.up import run_worker

    run_worker(settings())


def demo_settings(home: Path) -> Settings:
    """Settings that need nothing: a database and blobs of their own, the lexicon."""
    return settings().model_copy(
        update={
            "data_dir": home,
            "blobs_dir": None,
            "database_url": None,
            "supabase_url": None,
            "classifier": "lexicon",
            "host": "127.0.0.1",
        }
    )


@contextmanager
def stop_on_signal() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP interrupt what runs inside, once.

    Further signals are ignored, so that stopping is not itself stopped half way.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
