"""Finds and ends the processes that a killed owner or a killed Postgres left behind."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

STOP_SECONDS = 10
ORPHAN_SECONDS = 2  # in which a child sees that its main process is gone


def works_in(process: psutil.Process, data: Path) -> bool:
    """Whether a process is a Postgres with `data` as its working folder."""
    try:
        return process.name() == "postgres" and Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


def end_leftovers(data: Path) -> None:
    """Stop what an earlier owner left running in `data`, and forget its pid file.

    Only for the holder of the lock. Processes are known by their working folder, never by the
    number in the pid file, which may be somebody else's by now.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    left = [process for process in psutil.process_iter() if works_in(process, data)]
    main_pid = read_pid(pid_file)
    for farewell in (signal.SIGINT, signal.SIGQUIT):
        # Only the main process takes orders; the others follow it, or see that it is gone.
        if main := [process for process in left if process.pid == main_pid]:
            _send(main, farewell)
            _, left = psutil.wait_procs(left, timeout=STOP_SECONDS)
    _, left = psutil.wait_procs(left, timeout=ORPHAN_SECONDS)
    _send(left, signal.SIGKILL)
    psutil.wait_procs(left, timeout=STOP_SECONDS)
    pid_file.unlink(missing_ok=True)


def read_pid(pid_file: Path) -> int | None:
    """The process number that a pid file names."""
    try:
        return int(pid_file.read_text(encoding="ascii").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
