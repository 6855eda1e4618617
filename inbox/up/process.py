"""A child process with everything it starts: begun clean, ended whole."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

PR_SET_PDEATHSIG = 1
LINUX = sys.platform.startswith("linux")


class Process:
    """A child process in a session of its own, whose output goes to a file.

    On Linux it is sent SIGTERM when its parent dies, however that happens.

    Args:
        name: what people call it.
        command: program and arguments.
        environment: the whole environment.
        log: file that the output is added to.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_prepare_child if LINUX else None,  # noqa: PLW1509 - one thread here
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._popen.poll()

    def stop(self, grace: float, first: str = "") -> None:
        """End it and all that it started: SIGTERM, then SIGKILL after `grace` seconds.

        What it had started and did not end itself gets a SIGTERM and as much time of its own.

        Args:
            grace: seconds.
            first: descendants with this argument are ended before it, because it would end them
                with SIGKILL.
        """
        family = _family(self._popen.pid)
        if first:
            _end([member for member in family if _has_argument(member, first)], grace)
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(grace)
            except subprocess.TimeoutExpired:
                family = _family(self._popen.pid) + family
                self._popen.kill()
                self._popen.wait()
        _end(family, grace)

    def last_lines(self, count: int = 15) -> str:
        """The end of its output."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-count:])


def end_strays(temporary: Path, grace: float) -> None:
    """End what outlived the process that had started it: a run, for example, whose worker died.

    Args:
        temporary: folder for temporary files, by which such a process is known.
        grace: seconds between SIGTERM and SIGKILL.
    """
    ours = {process.pid for process in _family(os.getpid())} | {os.getpid()}
    strays = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid not in ours and process.environ().get("TMPDIR") == str(temporary):
                strays.append(process)
    _end(strays, grace)


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _has_argument(process: psutil.Process, argument: str) -> bool:
    try:
        return argument in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _end(processes: list[psutil.Process], grace: float) -> None:
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                ask(process)
        _, processes = psutil.wait_procs(processes, timeout=grace)


def _prepare_child() -> None:
    # A shell starts background jobs with SIGINT ignored, and Prefect's worker then ignores
    # SIGTERM as well; so each child begins with both as they are by default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:  # the parent died before the line above
        os._exit(1)
