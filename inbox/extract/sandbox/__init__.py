"""Run a function on the bytes of a file in a child process that cannot harm the caller.

Each `Sandbox` keeps one zygote, a process that has the libraries loaded and forks a child for every
call. The child gets the open file and nothing else: no environment, no secret, no terminal.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from inbox import errors
from inbox.extract.sandbox import nursery, starting, wire
from inbox.extract.sandbox.limits import Limits

__all__ = ["Limits", "Sandbox", "Signal"]

_TICK_SECONDS = 0.1
_START_SECONDS = 120
_KILL_SECONDS = 5
_MAX_ANSWER_BYTES = 1024 * 1024 * 1024
_ERRORS = {
    kind.code: kind
    for kind in (
        errors.UnsupportedType,
        errors.CorruptFile,
        errors.TruncatedFile,
        errors.EncryptedFile,
        errors.EmptyFile,
        errors.TypeMismatch,
        errors.DecompressionBomb,
        errors.XmlDtdForbidden,
        errors.TooManyPages,
        errors.TooManyEntries,
        errors.ContainerTooLarge,
        errors.TooDeep,
        errors.ReadTimeout,
        errors.ReaderCrashed,
        errors.NoSpace,
        errors.ConfigurationError,
    )
}


class Signal(Protocol):
    """Something that another thread sets to stop a call; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether to stop."""
        ...


class _ZygoteLostError(Exception):
    """The zygote ended while a call was under way."""


class Sandbox:
    """Calls of `task` in child processes, from any number of threads.

    Args:
        task: `"module:function"` to call in the child with the bytes of the file and `argument`.
        warm: `"module:function"` to call once in the zygote with `argument`, before it forks.
        argument: JSON value handed to `warm`.
        environment: variables of the zygote besides the few that a program needs to start.
        local_sockets: whether what runs in the children talks to itself over sockets.
    """

    def __init__(
        self,
        task: str,
        warm: str,
        argument: Mapping[str, Any],
        environment: Mapping[str, str],
        *,
        local_sockets: bool = False,
    ) -> None:
        self._task = task
        self._setup = {
            "warm": warm,
            "argument": dict(argument),
            "local_sockets": local_sockets,
        }
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._zygote: _Zygote | None = None
        self._closed = False

    def run(
        self,
        path: Path,
        argument: Mapping[str, Any],
        *,
        limits: Limits,
        seconds: float,
        abort: Signal | None = None,
        prepare: str | None = None,
        secret: Mapping[str, Any] | None = None,
        output: int | None = None,
    ) -> Any:
        """What the task returns for the bytes at `path`, as a JSON value.

        Args:
            path: the file; opened here, so the child needs no file system.
            argument: JSON value for the task.
            limits: what the child may use.
            seconds: longest time on the clock.
            abort: asked again and again; ends the call once it is set.
            prepare: `"module:function"` to call in the child before the limits hold and before it
                sees the file, for a library that starts a thread when it is loaded.
            secret: JSON value that the task finds in its argument under `secret`; it goes to the
                child by a pipe of its own, past the zygote, of which later children are copies.
            output: descriptor of a file that the child may write; the task finds its own number
                for it in its argument under `output`.

        Raises:
            InboxError: one that the task raised.
            ReadTimeout: the child was stopped at its time limit.
            ReaderCrashed: the child died.
            JobCancelled: `abort` was set.
            ConfigurationError: no zygote can be started.
            OSError: the file cannot be opened.
        """
        call: dict[str, Any] = {
            "task": self._task,
            "argument": dict(argument),
            "limits": limits.model_dump(),
        }
        call["prepare"] = prepare
        extra = {} if output is None else {"output": output}
        with path.open("rb") as file:
            for _ in range(2):  # a zygote that was killed from outside is no fault of the file
                file.seek(0)  # the offset is shared with a child that may have read already
                with contextlib.suppress(_ZygoteLostError), _told(secret) as pipe:
                    descriptors = {"source": file.fileno()} | extra | pipe
                    return self._started().call(descriptors, call, seconds, abort)
        raise errors.ReaderCrashed("The reading process ended twice while it read this file.")

    @property
    def without_network(self) -> tuple[str, ...]:
        """How the network is kept from the children; nothing where the system permits no way."""
        return self._started().without_network or ()

    def close(self) -> None:
        """Stop the zygote and all children; calls under way raise ReaderCrashed."""
        with self._lock:
            self._closed = True
            zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def runs(self) -> bool:
        """Whether its zygote is there already."""
        return self._zygote is not None and self._zygote.usable()

    def start(self) -> None:
        """Have the zygote load its libraries meanwhile; whatever is wrong, the first call says."""
        with self._lock, contextlib.suppress(errors.InboxError, OSError):
            self._present()

    def _started(self) -> _Zygote:
        with self._lock:
            zygote = self._present()
            zygote.await_start()
            return zygote

    def _present(self) -> _Zygote:
        """The zygote, which may still be loading its libraries; the lock is held."""
        if self._closed:
            raise errors.ReaderCrashed("The reader is closed.")
        if self._zygote is not None and not self._zygote.usable():
            self._zygote.stop()
            self._zygote = None
        if self._zygote is None:
            self._zygote = _Zygote(self._setup, self._environment)
        return self._zygote


class _Zygote:
    """The worker's side of one zygote process."""

    def __init__(self, setup: dict[str, Any], environment: dict[str, str]) -> None:
        self._owner = os.getpid()
        self._send_lock = threading.Lock()
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix="inbox-read-"))
        except OSError:
            raise errors.NoSpace("No temporary folder can be made.") from None
        setup = setup | {"scratch": str(self._scratch)}
        environment = starting.environment() | environment | {"TMPDIR": str(self._scratch)}
        self._process: subprocess.Popen[bytes] | nursery.ForkedZygote
        self._control, self._process = nursery.fork(setup, environment) or starting.program(
            setup | {"parent": self._owner}, environment
        )
        self.without_network: tuple[str, ...] | None = None

    def await_start(self) -> None:
        """Wait until it has its libraries.

        Raises:
            ConfigurationError: it ended instead.
        """
        if self.without_network is not None:
            return
        self._control.settimeout(_START_SECONDS)
        ready = wire.receive(self._control)
        if ready is None:
            self.stop()
            raise errors.ConfigurationError(
                "The reading process does not start; its standard error says why."
            )
        self._control.settimeout(_KILL_SECONDS)
        self.without_network = tuple(ready[0]["without_network"])

    def usable(self) -> bool:
        """Whether it runs and belongs to this process (not to the one this was forked from)."""
        return self._owner == os.getpid() and self._process.poll() is None

    def stop(self) -> None:
        """End it and its children."""
        self._control.close()
        if self._owner != os.getpid():
            return
        if self.without_network is None:
            self._kill()  # it would notice only after it has its libraries
        try:
            self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def call(
        self,
        descriptors: Mapping[str, int],
        call: dict[str, Any],
        seconds: float,
        abort: Signal | None,
    ) -> Any:
        """Have a child made for this call, and wait for its answer."""
        leash, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        result, result_write = os.pipe()
        with leash, os.fdopen(result, "rb", buffering=0) as answer:
            try:
                given = {"result": result_write, "leash": theirs.fileno(), **descriptors}
                with theirs, self._send_lock:
                    wire.send(
                        self._control, call | {"descriptors": list(given)}, list(given.values())
                    )
            except OSError:
                raise _ZygoteLostError from None
            finally:
                os.close(result_write)
            waiting = _Waiting(leash, answer.fileno(), time.monotonic() + seconds, abort)
            try:
                return waiting.outcome()
            except _ZygoteLostError:
                self._kill()
                raise

    def _kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()  # its children end with it
            self._process.wait()


class _Waiting:
    """One call, from the moment the child is asked for until it is known to be gone."""

    def __init__(
        self, leash: socket.socket, answer: int, deadline: float, abort: Signal | None
    ) -> None:
        self._leash = leash
        self._answer = answer
        self._deadline = deadline
        self._abort = abort
        self._data = bytearray()

    def outcome(self) -> Any:
        """The value, or the error it stands for."""
        stopped = self._collect()
        status = self._exit(stopped)
        if stopped is not None:
            raise stopped
        if status == -signal.SIGXCPU:
            raise errors.ReadTimeout("Reading took more processor time than allowed.")
        if status != 0:
            how = f"signal {-status}" if status < 0 else f"exit {status}"
            raise errors.ReaderCrashed(f"The reading process died ({how}).")
        return _value(self._data)

    def _collect(self) -> errors.InboxError | None:
        """Read until the child closes its end; say why, if it was not waited for."""
        poll = select.poll()
        poll.register(self._answer, select.POLLIN)
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                return errors.ReadTimeout("Reading took longer than allowed.")
            if self._abort is not None and self._abort.is_set():
                return errors.JobCancelled("Reading was stopped because the job is cancelled.")
            tick = left if self._abort is None else min(left, _TICK_SECONDS)
            if poll.poll(tick * 1000 + 1):
                part = os.read(self._answer, 1 << 20)
                if not part:
                    return None
                self._data += part
            if len(self._data) > _MAX_ANSWER_BYTES:
                return errors.ReaderCrashed("The document holds more text than can be passed on.")

    def _exit(self, stopped: errors.InboxError | None) -> int:
        """Let go of the child and learn how it ended."""
        with contextlib.suppress(OSError):
            if stopped is not None:
                self._leash.shutdown(socket.SHUT_WR)
        # A child that closed its answer has only to exit: as good as at once.
        self._leash.settimeout(_KILL_SECONDS)
        try:
            status = wire.unpack_status(self._leash.recv(64))
        except OSError:
            status = None
        if status is None:
            raise _ZygoteLostError
        return status


@contextlib.contextmanager
def _told(secret: Mapping[str, Any] | None) -> Iterator[dict[str, int]]:
    """A pipe with a secret in it; nothing where there is none."""
    if secret is None:
        yield {}
        return
    words = json.dumps(secret).encode()
    end, begin = os.pipe()
    try:
        os.set_blocking(begin, False)
        if os.write(begin, words) < len(words):
            raise ValueError("the secret is longer than a pipe holds")
        os.close(begin)
        begin = -1
        yield {"secret": end}
    finally:
        for descriptor in (begin, end):
            if descriptor >= 0:
                os.close(descriptor)


def _value(data: bytearray) -> Any:
    try:
        answer = json.loads(data)
    except ValueError:
        raise errors.ReaderCrashed("The reading process gave no whole answer.") from None
    if "value" in answer:
        return answer["value"]
    kind = _ERRORS.get(answer["error"], errors.ReaderCrashed)
    raise kind(answer["message"])
