"""A small process that has the libraries loaded and forks a child for every call.

It has one thread, knows no secret, and does nothing with a file itself. Started by
`inbox.extract.sandbox.Sandbox`; ends when the other end of its control socket closes.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inbox.errors import InboxError
from inbox.extract.sandbox import limits, network, wire

# Parent gone is normally seen at once as the end of the control socket; the poll covers a socket
# that lives on in a forked copy of the parent.
_ORPHAN_POLL_MS = 2000


def resolve(name: str) -> Callable[..., Any]:
    """The function behind `"module:function"`."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


class Zygote:
    """The loop: take a call, fork, watch the leash, report the exit."""

    def __init__(self, control: socket.socket, orphaned: Callable[[], bool], scratch: Path) -> None:
        self._control = control
        self._orphaned = orphaned
        self._scratch = scratch
        self._pid = os.getpid()
        self._leashes: dict[int, socket.socket] = {}
        self._wake, self._wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Serve until the parent is gone, then leave no child and no file behind."""
        limits.adopt_orphans()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        try:
            while not self._orphaned() and self._turn():
                pass
        finally:
            for pid in list(self._leashes):
                _kill(pid)
            for pid in list(self._leashes):
                self._reap_one(pid)
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _turn(self) -> bool:
        poll = select.poll()
        for descriptor in (self._control.fileno(), self._wake):
            poll.register(descriptor, select.POLLIN)
        pids = {leash.fileno(): pid for pid, leash in self._leashes.items()}
        for descriptor in pids:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(_ORPHAN_POLL_MS):
            if descriptor in pids:
                self._let_go(pids[descriptor])
            elif descriptor == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            else:
                received = wire.receive(self._control)
                if received is None:
                    return False
                self._start(*received)
        self._reap()
        return True

    def _start(self, call: dict[str, Any], descriptors: list[int]) -> None:
        given = dict(zip(call["descriptors"], descriptors, strict=True))
        pid = os.fork()
        if pid == 0:
            self._become_child(call, given)
        self._leashes[pid] = socket.socket(fileno=given.pop("leash"))
        for descriptor in given.values():
            os.close(descriptor)

    def _let_go(self, pid: int) -> None:
        """The caller wants nothing more of this child."""
        leash = self._leashes.get(pid)
        if leash is not None:
            _kill(pid)
            # Read no further from this leash, but keep it: the exit is still reported on it.
            self._reap_one(pid)

    def _reap(self) -> None:
        """Take note of every process that ended: children, and what they left behind."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._leashes:
                    self._ended(pid, status)

    def _reap_one(self, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)  # what the child may have started
        shutil.rmtree(self._scratch / str(pid), ignore_errors=True)
        with self._leashes.pop(pid) as leash, contextlib.suppress(OSError):
            leash.send(wire.pack_status(os.waitstatus_to_exitcode(status)))

    def _become_child(self, call: dict[str, Any], given: dict[str, int]) -> None:
        """In the fork: never returns."""
        code = 1
        try:
            os.setsid()
            limits.die_with_parent(self._pid)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (
                given["leash"],
                self._wake,
                self._wake_write,
                self._control.fileno(),
            ):
                os.close(descriptor)
            for other in self._leashes.values():
                other.close()
            _quiet()
            private = self._scratch / str(os.getpid())
            with contextlib.suppress(OSError):  # a full disk: the task says so if it matters
                private.mkdir()
            tempfile.tempdir = str(private)
            if call["prepare"] is not None:
                resolve(call["prepare"])()
            limits.apply(limits.Limits.model_validate(call["limits"]))
            argument = _argument(call, given)
            with os.fdopen(given["source"], "rb") as file:
                answer = answer_of(call["task"], file.read, argument)
            with os.fdopen(given["result"], "wb") as out:
                out.write(json.dumps(answer).encode())
            code = 0
        finally:
            os._exit(code)


def _argument(call: dict[str, Any], given: dict[str, int]) -> dict[str, Any]:
    """What the task is told, with what came beside the call."""
    argument: dict[str, Any] = call["argument"]
    if "secret" in given:
        with os.fdopen(given["secret"], "rb") as pipe:
            argument = argument | {"secret": json.loads(pipe.read())}
    return argument | {"output": given["output"]} if "output" in given else argument


def answer_of(task: str, read: Callable[[], bytes], argument: dict[str, Any]) -> dict[str, Any]:
    """Call `task(data, argument)` and put what it returns, or what went wrong, into a dict."""
    try:
        return {"value": resolve(task)(read(), argument)}
    except InboxError as error:
        return {"error": error.code, "message": str(error)}
    except MemoryError:
        return {"error": "reader_crashed", "message": "Reading took more memory than allowed."}
    except Exception as error:  # noqa: BLE001 - the boundary: everything becomes an answer
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return {"error": "no_space", "message": "The disk is full."}
        # Only the class: the text of the error may quote the document.
        kind = type(error).__name__
        return {"error": "reader_crashed", "message": f"The reader failed ({kind})."}


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # the group may not exist yet
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)


def _quiet() -> None:
    with open(os.devnull, "r+b", buffering=0) as null:  # noqa: PTH123
        for descriptor in (0, 1, 2):
            os.dup2(null.fileno(), descriptor)


def serve(setup: dict[str, Any], control: socket.socket, orphaned: Callable[[], bool]) -> None:
    """Load the libraries, say that it is ready, serve.

    Args:
        setup: `warm` and its `argument`, `local_sockets`, and the folder `scratch`.
        control: to the owner.
        orphaned: whether the owner is gone.
    """
    control.set_inheritable(False)
    ways = network.leave(local=setup["local_sockets"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    resolve(setup["warm"])(setup["argument"])
    gc.collect()
    gc.freeze()  # shared pages stay shared when a child collects
    wire.send(control, {"without_network": ways})
    Zygote(control, orphaned, Path(setup["scratch"])).run()


def main(argument: str) -> None:
    """Serve the process that started this one."""
    setup = json.loads(argument)
    control = socket.socket(fileno=setup["control"])
    serve(setup, control, lambda: os.getppid() != setup["parent"])


if __name__ == "__main__":
    main(sys.argv[1])
