"""The front door of a local Supabase project: knows the keys, forwards, and fails when told to."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

INVALID_KEY = {"message": "Invalid API key", "hint": "Double check your Supabase API key."}


@dataclass
class Request:
    """A request whose key is known; `headers` are in lower case, `token` is a signed token."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    token: str


@dataclass
class Answer:
    """What goes back; `announced` is the length to claim where that is not the body's own."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None

    @classmethod
    def of(cls, status: int, value: object) -> Self:
        """A JSON answer."""
        return cls(status, json.dumps(value).encode(), {"content-type": "application/json"})

    def wire(self) -> bytes:
        """The answer as bytes."""
        length = len(self.body) if self.announced is None else self.announced
        lines = [f"HTTP/1.1 {self.status} .", f"content-length: {length}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Faults:
    """What goes wrong from now on, for requests whose path holds `only`."""

    only: str = ""
    drop_share: float = 0.0  # of the answers, after the work was done
    drop_next: int = 0  # answers from now on
    away: bool = False
    delay_seconds: float = 0.0
    answer: Answer | None = None  # instead of doing the work


class Gateway:
    """Listens on a free port of 127.0.0.1, in a thread of its own; a context manager.

    Args:
        socket: PostgREST's.
        keys: the signed token that each API key stands for.
        storage: answers what is under /storage/v1.
    """

    def __init__(
        self, socket: str, keys: Mapping[str, str], storage: Callable[[Request], Answer]
    ) -> None:
        self.faults = Faults()
        self.requests = 0
        self.dropped = 0
        self.port = 0
        self._socket, self._keys, self._storage = socket, dict(keys), storage
        self._chance = random.Random(7)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = dict(self._open)
        for writer in tasks.values():
            writer.transport.abort()  # ends the task, which then lets go of its own connections
        await asyncio.gather(*tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        task.add_done_callback(self._open.pop)
        behind: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        try:
            while await self._one(reader, writer, behind):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for closing in (writer, *(other for _, other in behind)):
                closing.close()
                with suppress(ConnectionError):
                    await closing.wait_closed()

    async def _one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    ) -> bool:
        first, headers = await _head(reader)
        method, path, _ = first.split(" ", 2)
        body = await _body(reader, headers)
        self.requests += 1
        hit = self.faults.only in path
        if hit and self.faults.away:
            return False
        if hit and self.faults.delay_seconds:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self.faults.delay_seconds)
        if hit and self.faults.answer is not None:
            wire, whole = self.faults.answer.wire(), self.faults.answer.announced is None
        else:
            wire, whole = await self._work(Request(method, path, headers, body, ""), behind)
        if hit and (self.faults.drop_next > 0 or self._chance.random() < self.faults.drop_share):
            self.faults.drop_next -= 1
            self.dropped += 1
            return False
        writer.write(wire)
        await writer.drain()
        return whole

    async def _work(
        self,
        request: Request,
        behind: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    ) -> tuple[bytes, bool]:
        key = request.headers.get("apikey", "")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.path.startswith("/storage/v1/object/sign/") and request.method == "GET":
            pass  # a signed URL is its own key
        elif key not in self._keys:
            return Answer.of(401, INVALID_KEY).wire(), True
        else:
            request.token = self._keys[key] if bearer in {"", key} else bearer
            request.token = self._keys.get(request.token, request.token)
        if request.path.startswith("/storage/v1/"):
            answer = await self._loop.run_in_executor(None, self._storage, request)
            return answer.wire(), answer.announced is None
        if not behind:
            behind.append(await asyncio.open_unix_connection(self._socket, limit=2**20))
        answer = await _forward(request, *behind[0])
        if request.method == "HEAD":  # PostgREST sends a body after some; a new start is safe
            behind.pop()[1].close()
        return answer, True


async def _forward(
    request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    headers = {n: v for n, v in request.headers.items() if n not in {"apikey", "host"}}
    headers |= {"authorization": f"Bearer {request.token}", "host": "localhost"}
    path = request.path.removeprefix("/rest/v1") or "/"
    lines = [f"{request.method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + request.body)
    await writer.drain()
    first, answered = await _head(reader)
    empty = request.method == "HEAD" or first.split(" ")[1] == "204"
    body = b"" if empty else await _body(reader, answered)
    kept = {n: v for n, v in answered.items() if n not in {"transfer-encoding", "content-length"}}
    return Answer(int(first.split(" ")[1]), body, kept).wire()


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in head[1:] if line)
    return head[0], {name.lower(): value.strip() for name, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    pieces = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(pieces)
