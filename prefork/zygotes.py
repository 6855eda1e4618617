"""The worker's side of its warm processes: start them, ask them to fork, hear how runs ended."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from prefork import wire

# Read when an interpreter or a C library starts, and never again.
STARTUP_VARIABLES = (
    "PYTHON", "LD_", "MALLOC_", "GLIBC_", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "BLIS_",
)  # fmt: skip
MOST_ZYGOTES = 4
TRIES = 3
KILLED = -9


class Stale(Exception):
    """Code has changed since the warm process imported it."""


class Gone(Exception):
    """The warm process died before it had forked."""


class ForkedProcess:
    """A forked run.

    Attributes:
        pid: its process id, also the id of its session and process group.
        returncode: as of `subprocess`; None while it runs.
    """

    def __init__(self, pid: int, pidfd: int, line: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._pidfd = pidfd
        self._line = line
        self._ended = asyncio.Event()

    async def go(self) -> None:
        """Let it run; returns when it may be signalled.

        Raises:
            Gone: it has died already.
        """
        loop = asyncio.get_running_loop()
        try:
            if await loop.sock_recv(self._line, 1) == wire.ALIVE:
                await loop.sock_sendall(self._line, wire.GO)
                return
        except OSError:
            pass
        raise Gone

    def tell(self, line: str) -> None:
        """Say a line of JSON to it."""
        with suppress(OSError):
            self._line.send(line.encode() + b"\n")

    async def wait(self) -> int:
        """The exit code, when it has ended."""
        await self._ended.wait()
        assert self.returncode is not None  # noqa: S101 - for the type checker
        return self.returncode

    def ended(self, code: int) -> None:
        """Take note of its end."""
        if self.returncode is None:
            self.returncode = code
            os.close(self._pidfd)
            self._line.close()
            self._ended.set()

    def watch(self) -> None:
        """From now on nobody else will say when it ends."""
        if self.returncode is None:
            asyncio.get_running_loop().add_reader(self._pidfd, self._look)

    def _look(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        try:
            said = self._line.recv(wire.EXIT_CODE.size)
        except OSError:
            said = b""
        whole = len(said) == wire.EXIT_CODE.size
        self.ended(wire.EXIT_CODE.unpack(said)[0] if whole else KILLED)

    def signal(self, number: signal.Signals) -> None:
        """Send its whole process group a signal."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


class Zygote:
    """A warm process; made by `start`."""

    def __init__(self, popen: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._popen = popen
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._report: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._asked: dict[int, tuple[asyncio.Future[ForkedProcess], socket.socket]] = {}
        self._running: dict[int, ForkedProcess] = {}
        self._requests = 0
        self.alive = True
        self.retired = False
        self._loop.add_reader(channel, self._hear)

    @classmethod
    def start(
        cls, modules: Iterable[str], environment: Mapping[str, str], *, watch: bool
    ) -> Zygote:
        """Start one; it is not warm yet."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.settimeout(0)
            fd = str(theirs.fileno())
            module = [sys.executable, "-P", "-m", "prefork.zygote"]
            popen = subprocess.Popen(  # noqa: S603 - our own program
                [*module, fd, json.dumps(list(modules)), json.dumps(watch)],
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return cls(popen, ours)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def busy(self) -> bool:
        """Whether a run of its is under way."""
        return bool(self._running or self._asked)

    async def report(self) -> dict[str, Any]:
        """How warming up went, when it has.

        Raises:
            Gone: it died.
        """
        return await asyncio.shield(self._report)

    async def fork(self, job: wire.Job, stdout: int, stderr: int) -> ForkedProcess:
        """Fork a process for a job; it waits to be told to `go`.

        Raises:
            Stale: code has changed, a fresh warm process is needed.
            Gone: the warm process died.
            OSError: there can be no more processes.
        """
        self._requests += 1
        request = self._requests
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(0)
        fd = wire.write_job(job)
        answer: asyncio.Future[ForkedProcess] = self._loop.create_future()
        self._asked[request] = (answer, line)
        try:
            await self._send({"fork": request}, fd, stdout, stderr, theirs.fileno())
            return await answer
        except BaseException:
            line.close()
            raise
        finally:
            self._asked.pop(request, None)
            os.close(fd)
            theirs.close()

    def close(self) -> None:
        """Let it end; its children go on."""
        if self.alive:
            self.alive = False
            self._loop.remove_reader(self._channel)
            self._channel.close()
            if not self._report.done():
                self._popen.kill()  # busy importing, it would not see that nobody is there
                self._report.set_exception(Gone())
                self._report.exception()
            self._loop.run_in_executor(None, self._popen.wait)

    def retire(self) -> None:
        """Let it end when the runs that it has forked have."""
        self.retired = True
        if not self.busy:
            self.close()

    async def _send(self, message: dict[str, Any], *fds: int) -> None:
        while self.alive:
            try:
                wire.send(self._channel, message, *fds)
            except BlockingIOError:
                await asyncio.sleep(0.01)
            except OSError:
                break
            else:
                return
        raise Gone

    def _hear(self) -> None:
        while self.alive:
            try:
                message, fds = wire.receive(self._channel)
            except BlockingIOError:
                return
            if message is None:
                self._died()
            else:
                self._take(message, fds)

    def _take(self, message: dict[str, Any], fds: list[int]) -> None:
        if "ready" in message:
            self._report.set_result(message)
        elif "ended" in message:
            if process := self._running.pop(message["ended"], None):
                process.ended(message["code"])
        else:
            self._answer(message, fds)
        if self.retired and not self.busy:
            self.close()

    def _answer(self, message: dict[str, Any], fds: list[int]) -> None:
        [request] = {message[kind] for kind in ("forked", "stale", "failed") if kind in message}
        answer, line = self._asked.get(request, (None, None))
        if answer is None or line is None or answer.done():  # given up; the child sees that
            for fd in fds:
                os.close(fd)
        elif "forked" in message:
            # Noted here and not where it is awaited, as its end may be the next message.
            self._running[request] = ForkedProcess(message["pid"], fds[0], line)
            answer.set_result(self._running[request])
        elif "stale" in message:
            answer.set_exception(Stale())
        else:
            answer.set_exception(OSError(message["why"]))

    def _died(self) -> None:
        self.alive = False
        self._loop.remove_reader(self._channel)
        self._channel.close()
        self._loop.run_in_executor(None, self._popen.wait)
        if not self._report.done():
            self._report.set_exception(Gone())
            self._report.exception()  # so that it is not called unheard
        for answer, _ in self._asked.values():
            if not answer.done():
                answer.set_exception(Gone())
        for process in self._running.values():
            process.watch()


Key = tuple[tuple[str, ...], bool, tuple[tuple[str, str], ...]]


class Zygotes:
    """The warm processes of one worker: one for each set of modules and start-up variables.

    Args:
        say: told what a person should know.
    """

    def __init__(self, say: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._say = say
        self._zygotes: dict[Key, Zygote] = {}
        self._unfit: set[Key] = set()
        self._told: set[Zygote] = set()

    async def fork(
        self,
        job: wire.Job,
        modules: Iterable[str],
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
        *,
        watch: bool,
    ) -> ForkedProcess:
        """Fork a process for a job from a warm process that was started for such variables.

        Args:
            job: what the process is to do.
            modules: what the warm process is to have imported.
            environment: what the warm process is chosen by; the job may have more variables.
            stdout: descriptor for the output.
            stderr: descriptor for the errors.
            watch: whether changed code makes a fresh warm process.

        Raises:
            Gone: warm processes die again and again.
            OSError: there can be no more processes.
        """
        for _ in range(TRIES):
            zygote = await self._warm(modules, environment, watch=watch)
            try:
                return await zygote.fork(job, stdout, stderr)
            except Stale:
                self._say.info("Code has changed: starting a fresh warm process.")
                self._retire(zygote)
            except Gone:
                self._say.warning("The warm process died: starting another.")
        raise Gone("The warm process died again and again.")

    def prepare(
        self, modules: Iterable[str], environment: Mapping[str, str], *, watch: bool
    ) -> Zygote:
        """The warm process for such runs, which may be warming up yet."""
        started_with = tuple(
            sorted(item for item in environment.items() if item[0].startswith(STARTUP_VARIABLES))
        )
        key: Key = (tuple(modules), watch, started_with)
        if key in self._unfit:
            key = ((), watch, started_with)
        zygote = self._zygotes.pop(key, None)
        if zygote is None or not zygote.alive:
            ours = {name: value for name, value in os.environ.items() if not _at_startup(name)}
            # Not in the key, as a run takes over its own; but most have the same.
            prefects = {
                name: value for name, value in environment.items() if name.startswith("PREFECT_")
            }
            zygote = Zygote.start(key[0], ours | prefects | dict(started_with), watch=watch)
        self._zygotes[key] = zygote  # the one used last stands last
        idle = [other for other in self._zygotes.values() if not other.busy and other != zygote]
        if len(self._zygotes) > MOST_ZYGOTES and idle:
            self._retire(idle[0])
        return zygote

    async def _warm(
        self, modules: Iterable[str], environment: Mapping[str, str], *, watch: bool
    ) -> Zygote:
        for _ in range(TRIES):
            zygote = self.prepare(modules, environment, watch=watch)
            try:
                report = await zygote.report()
            except Gone:
                self._say.warning("The warm process died while it was warming up.")
                continue
            if report["threads"] > 1:
                self._discard(zygote)
                continue
            self._tell(zygote, report)
            return zygote
        raise Gone("The warm process dies while it is warming up; see the worker's output.")

    def _discard(self, zygote: Zygote) -> None:
        """A process with several threads cannot be forked: do without its modules."""
        for key in [key for key, known in self._zygotes.items() if known is zygote]:
            del self._zygotes[key]
            self._unfit.add(key)
            self._say.warning(
                "Importing %s starts threads, and a process with threads cannot be forked; runs"
                " will import them anew. (numpy: set OPENBLAS_NUM_THREADS=1 in the pool's env.)",
                ", ".join(key[0]),
            )

    def _tell(self, zygote: Zygote, report: Mapping[str, Any]) -> None:
        if zygote not in self._told:
            self._told.add(zygote)
            self._say.info("Warm process %s is ready.", zygote.pid)
            for module, problem in report["problems"].items():
                self._say.warning("Cannot load %s ahead of the runs:\n%s", module, problem)

    def _retire(self, zygote: Zygote) -> None:
        self._zygotes = {key: known for key, known in self._zygotes.items() if known is not zygote}
        self._told.discard(zygote)
        zygote.retire()

    def close(self) -> None:
        """Let all of them end; their children go on."""
        for zygote in self._zygotes.values():
            zygote.close()
        self._zygotes.clear()


def _at_startup(name: str) -> bool:
    return name.startswith(STARTUP_VARIABLES)
