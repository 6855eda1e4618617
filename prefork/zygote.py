"""The warm process: imports once, forks for every run, says how each ended.

Started by a worker as `python -P -m prefork.zygote FD MODULES WATCH`. It has one thread and no
event loop, so that a fork copies a whole and quiet process. It ends when its worker does; the
children it has forked go on.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from prefork import wire
from prefork.watch import Watch

# What a run imports anyway.
ENGINE = (
    "anyio._backends._asyncio",
    "encodings.idna",
    "prefork.child",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.task_runners",
    "prefect.utilities.visualization",
    "prefect.client.orchestration",
    "prefect.events.clients",
    "prefect.logging.handlers",
    "prefect.runner._workspace_supervisor",
    "prefect.runner._workspace_runtime_bootstrap",
    "pydantic.v1",
    "rich._emoji_codes",
)
PR_SET_NAME = 15


class Zygote:
    """Forks on request.

    Args:
        channel: to the worker.
        watch: tells when a fresh process is needed; None: never.
    """

    def __init__(self, channel: socket.socket, watch: Watch | None) -> None:
        self._channel = channel
        self._watch = watch
        self._pid = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, int]] = {}  # pidfd: (request, pid)

    def serve(self) -> Callable[[], None] | None:
        """Fork until the worker is gone.

        Returns:
            In a child: what it is to do. Otherwise None.
        """
        while True:
            for key, _ in self._selector.select():
                if key.fd in self._running:
                    self._reap(key.fd)
                    continue
                message, fds = wire.receive(self._channel)
                if message is None:
                    return None
                work = self._fork(message["fork"], fds)
                if work is not None:
                    return work

    def _fork(self, request: int, fds: list[int]) -> Callable[[], None] | None:
        try:
            if self._watch is not None and self._watch.changed():
                wire.send(self._channel, {"stale": request})
                return None
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                return self._child(fds)
            pidfd = os.pidfd_open(pid)
            self._running[pidfd] = (request, pid)
            self._selector.register(pidfd, selectors.EVENT_READ)
            wire.send(self._channel, {"forked": request, "pid": pid}, pidfd)
        except OSError as error:
            wire.send(self._channel, {"failed": request, "why": str(error)})
        finally:
            if os.getpid() == self._pid:
                for fd in fds:
                    os.close(fd)
        return None

    def _child(self, fds: list[int]) -> Callable[[], None]:
        os.setsid()
        self._channel.close()
        self._selector.close()
        for pidfd in self._running:
            os.close(pidfd)
        from prefork import child  # noqa: PLC0415 - heavy, and loaded by now

        return child.prepared(*fds)

    def _reap(self, pidfd: int) -> None:
        request, pid = self._running.pop(pidfd)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        wire.send(self._channel, {"ended": request, "code": os.waitstatus_to_exitcode(status)})


def warm_up(modules: Iterable[str]) -> dict[str, Any]:
    """Import the engine and `modules`; what the worker should know about it.

    Args:
        modules: each `module`, or `module:function` for one with a function to call.
    """
    for module in ENGINE:
        importlib.import_module(module)
    problems = {}
    for entry in modules:
        module, _, function = entry.partition(":")
        try:
            loaded = importlib.import_module(module)
            if function:
                getattr(loaded, function)()
        except Exception:  # noqa: BLE001 - a run that needs it will say so itself
            problems[entry] = traceback.format_exc(limit=-3)[-2000:]
    from prefork import child  # noqa: PLC0415 - heavy, and loaded by now

    child.warm_up()
    threads = len(list(Path("/proc/self/task").iterdir()))
    return {"ready": True, "problems": problems, "threads": threads}


def main() -> None:
    """Warm up, serve; in a child: run."""
    fd, modules, watch = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"prefork-zygote", 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    channel = socket.socket(fileno=int(fd))
    report = warm_up(json.loads(modules))
    gc.collect()
    gc.freeze()  # so that a child's collector does not touch, and so copy, what all share
    wire.send(channel, report)
    if report["threads"] > 1:
        return
    work = Zygote(channel, Watch() if json.loads(watch) else None).serve()
    if work is not None:
        work()
    os._exit(0)


if __name__ == "__main__":
    main()
