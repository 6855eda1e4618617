"""A process from which zygotes are forked, where many short-lived processes need one each.

A zygote takes a third of a second of processor time to start and load its libraries, which is more
than a small file takes to be read. A process that is itself forked again and again opens a nursery
once; the sandboxes of its forks have their zygotes from there. The nursery is as clean as a zygote
that is started: no environment but what a program needs to start, and no file is ever opened in it.
It ends with the last process that may ask it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from inbox.extract.sandbox import wire, zygote

_ANSWER_SECONDS = 10
_MESSAGE_BYTES = 65536
# What each fork may be told anew. All else counts when a program starts, and must be the same.
_CHANGEABLE = ("PYTHONPATH", "TMPDIR")


class ForkedZygote:
    """A zygote that this process has asked for and is not the parent of.

    Has what is used of `subprocess.Popen`.

    Attributes:
        pid: its process id.
    """

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self._pidfd = pidfd

    def __del__(self) -> None:
        os.close(self._pidfd)

    def poll(self) -> int | None:
        """None while it runs."""
        return 0 if _over(self._pidfd) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its exit code is not known.

        Raises:
            subprocess.TimeoutExpired: it runs on after so many seconds.
        """
        if not _over(self._pidfd, timeout):
            raise subprocess.TimeoutExpired("zygote", timeout or 0)
        return 0

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


class _Nursery:
    """The way to a nursery, for the process that opened it and for its forks."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        channel: socket.socket,
        environment: Mapping[str, str],
    ) -> None:
        self.process = process
        self.channel = channel
        self._environment = _lasting(environment)

    def serves(self, environment: Mapping[str, str]) -> bool:
        return _lasting(environment) == self._environment

    def ask(
        self, setup: Mapping[str, Any], environment: Mapping[str, str]
    ) -> tuple[socket.socket, ForkedZygote] | None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        message = {"setup": dict(setup), "environment": dict(environment), "folder": _folder()}
        asker = os.pidfd_open(os.getpid())
        try:
            with theirs:
                given = [theirs.fileno(), asker, 2]
                socket.send_fds(self.channel, [json.dumps(message).encode()], given)
            ours.settimeout(_ANSWER_SECONDS)
            answer = wire.receive(ours)
        except OSError:
            answer = None
        finally:
            os.close(asker)
        if answer is None:  # it is gone, or stuck; a fork that comes late finds nobody and ends
            ours.close()
            return None
        return ours, ForkedZygote(answer[0]["pid"], *answer[1])


_nursery: _Nursery | None = None


def keep(environment: Mapping[str, str]) -> None:
    """Open a nursery for this process's forks, where the system can; once is enough.

    Args:
        environment: all variables of the zygotes.
    """
    global _nursery  # noqa: PLW0603 - forks find it here
    if _nursery is not None or not hasattr(os, "pidfd_open"):
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(_ANSWER_SECONDS)
    module = "inbox.extract.sandbox.nursery"
    with theirs:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-W", "ignore", "-m", module, str(theirs.fileno())],
            env=dict(environment),
            cwd="/",
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    _nursery = _Nursery(process, ours, environment)


def fork(
    setup: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[socket.socket, ForkedZygote] | None:
    """A zygote from the nursery, and the socket to it; None where there is no nursery for it.

    Args:
        setup: what the zygote is told.
        environment: all its variables.
    """
    if _nursery is None or not _nursery.serves(environment):
        return None
    return _nursery.ask(setup, environment)


def _lasting(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in _CHANGEABLE}


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - told as it is
    except OSError:
        return "/"


def _over(pidfd: int, seconds: float | None = 0) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


# -- in the nursery -------------------------------------------------------------------


def main(channel: int) -> None:
    """Load what every zygote needs; fork one for each request until nobody is left to ask."""
    zygote.resolve("inbox.extract.work:load_plain")()
    requests = socket.socket(fileno=channel)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, _reap)
    gc.collect()
    gc.freeze()
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, wire.MAX_DESCRIPTORS)
        if not data:
            return
        with contextlib.suppress(OSError):  # no more processes: the asker starts one itself
            if os.fork() == 0:
                requests.close()
                _live(data, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _live(data: bytes, descriptors: list[int]) -> NoReturn:
    """In the fork: be a zygote."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        message = json.loads(data)
        control, asker = _born(message, descriptors)
        zygote.serve(message["setup"], control, partial(_over, asker))
        code = 0
    except BaseException:  # noqa: BLE001 - as the interpreter would say it
        traceback.print_exc()
    finally:
        os._exit(code)


def _born(message: Mapping[str, Any], descriptors: list[int]) -> tuple[socket.socket, int]:
    """Be what a program of its own would be; the way to the asker, and a pidfd of it."""
    control, asker, errors = descriptors
    os.setsid()
    os.dup2(errors, 2)
    os.close(errors)
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.clear()
    os.environ.update(message["environment"])
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in added if path and path not in known]
    tempfile.tempdir = None
    with contextlib.suppress(OSError):
        os.chdir(message["folder"])
    channel = socket.socket(fileno=control)
    pidfd = os.pidfd_open(os.getpid())
    wire.send(channel, {"pid": os.getpid()}, [pidfd])
    os.close(pidfd)
    return channel, asker


if __name__ == "__main__":
    main(int(sys.argv[1]))
