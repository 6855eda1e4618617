"""What a forked child does: become what `python -m prefect.engine` would be, then run that."""

from __future__ import annotations

import atexit
import ctypes
import importlib
import os
import random
import runpy
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefork import given, internals, wire

PR_SET_NAME = 15


def warm_up() -> None:
    """Do once what every run would do anew, without leaving a thread or a connection."""
    internals.warm_up()


def prepared(job: int, stdout: int, stderr: int, line: int) -> Callable[[], None]:
    """Make this fork a process of its own, ready to be signalled.

    Args:
        job: descriptor of the job.
        stdout: descriptor for its output.
        stderr: descriptor for its errors.
        line: descriptor of a socket to the worker.

    Returns:
        What is left to do; it does not return.
    """
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"prefork-run", 0, 0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.set_inheritable(line, False)  # noqa: FBT003
    null = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(ours, theirs)
        os.close(ours)
    return lambda: _live(wire.read_job(job), socket.socket(fileno=line))


def _live(job: wire.Job, line: socket.socket) -> None:
    with suppress(OSError):
        line.sendall(wire.ALIVE)
    try:
        said = line.recv(1)
    except OSError:
        said = b""
    if said != wire.GO:  # the worker has gone, or has given up on this child
        os._exit(0)
    code = _exit_code(job, line)
    with suppress(OSError):
        line.sendall(wire.EXIT_CODE.pack(code))
    # The interpreter's own end takes longer than all of the above: it would tear down a thousand
    # modules that the kernel drops at once.
    os._exit(code)


def _exit_code(job: wire.Job, line: socket.socket) -> int:
    code = 1
    try:
        code = _run(job, line)
    except SystemExit as done:
        code = _code_of(done)
    except BaseException:  # noqa: BLE001 - what the interpreter does with what nobody caught
        traceback.print_exc()
    # As the interpreter ends a process: other threads first, then atexit, then the buffers.
    last_calls: Any = (threading, "_shutdown"), (atexit, "_run_exitfuncs")
    for place, name in (*last_calls, (sys.stdout, "flush"), (sys.stderr, "flush")):
        try:
            getattr(place, name)()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
    return code


def _code_of(done: SystemExit) -> int:
    if done.code is None:
        return 0
    if isinstance(done.code, int):
        return done.code & 0xFF
    print(done.code, file=sys.stderr)  # noqa: T201
    return 1


def _run(job: wire.Job, line: socket.socket) -> int:
    sources = internals.settings_sources()
    become(job.environment, job.directory)
    random.seed()
    if numpy := sys.modules.get("numpy.random"):
        numpy.seed()
    sources = internals.refresh_settings(sources)
    if job.kind == "hook":
        return internals.run_hooks(job.manifest, *job.arguments)
    known = given.Given.model_validate_json(job.arguments[0])
    place = internals.prepare(job.manifest, known.flow_run, known.deployment)
    if place.command is not None:  # the project brings an environment of its own
        os.chdir(place.directory)
        os.execvpe(place.command[0], place.command, place.environment)
    become(place.environment, place.directory)
    internals.refresh_settings(sources)
    given.use(known, line)
    return _engine()


def become(environment: dict[str, str], directory: str) -> None:
    """Take over an environment and a working directory, and what Python derives from them."""
    old = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    new = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    here = str(Path.cwd())
    rest = [path for path in sys.path if path not in {*old, *new, here}]
    sys.path[:] = list(dict.fromkeys([here, *new, *rest]))
    importlib.invalidate_caches()
    time.tzset()


def _engine() -> int:
    engine = sys.modules.pop("prefect.engine")  # or runpy warns that it is there already
    sys.argv = [str(engine.__file__)]
    runpy.run_module("prefect.engine", run_name="__main__")
    return 0
