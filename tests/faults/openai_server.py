"""An OpenAI-compatible server that answers sensibly, and fails on command.

It reads each request as the real one would: it wants a key, knows the schema's labels and quotes
from the document it was sent. It fails by script (the next answers, in order) or by a marker in the
document, `FAIL-<fault>`, so that one file of a job always fails. Run by itself it prints its URL:

    python tests/faults/openai_server.py --port 0
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

MARKER = re.compile(r"FAIL-([a-z0-9]+(?:-[a-z]+)*)", re.IGNORECASE)
LABEL_MARKER = re.compile(r"LABEL-([\w-]+)")
_FENCE = re.compile(r"^(-----[0-9a-f]{24}-----)\n(.*)\n\1$", re.DOTALL)

STATUS_FAULTS = {
    "400": (400, "invalid_request_error", None),
    "401": (401, "invalid_request_error", "invalid_api_key"),
    "403": (403, "permission_error", None),
    "404": (404, "invalid_request_error", "model_not_found"),
    "429": (429, "requests", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "500": (500, "server_error", None),
    "503": (503, "server_error", None),
    "529": (529, "overloaded_error", None),
}


@dataclass(frozen=True)
class Step:
    """One scripted answer.

    Attributes:
        fault: `ok`, a status of `STATUS_FAULTS`, or the name of a `_fault_*` method's fault.
        label: the label to give; None to choose by reading the document.
        evidence: the quotes to give; None to quote the document's first line.
        fields: the facts to give: name, value and quote.
        summary: the summary to give.
        retry_after: value of the Retry-After header.
    """

    fault: str = "ok"
    label: str | None = None
    evidence: tuple[str, ...] | None = None
    fields: tuple[tuple[str, str, str], ...] = ()
    summary: str = "A document."
    retry_after: str | None = None


@dataclass(frozen=True)
class Request:
    """What a client sent: the path, the key, the body and when, in seconds of a steady clock."""

    path: str
    key: str
    body: dict[str, Any]
    at: float

    @property
    def document(self) -> str:
        """The text between the fences; all of the last message where there are none."""
        content = str(self.body["messages"][-1]["content"])
        fenced = _FENCE.match(content)
        return fenced[2] if fenced else content

    @property
    def labels(self) -> list[str]:
        """The closed list that the schema allows."""
        said: list[str] = self.schema["properties"]["label"].get("enum") or []
        return said

    @property
    def schema(self) -> dict[str, Any]:
        """What an answer must follow."""
        found: dict[str, Any] = self.body["response_format"]["json_schema"]["schema"]
        return found


@dataclass
class ScriptedServer:
    """A server on a free port of the loopback interface; a context manager.

    Attributes:
        port: 0 for a free one; the real one once it is started.
        script: answers to give next; when it is empty, documents decide.
        requests: what was asked so far.
    """

    port: int = 0
    script: deque[Step] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._http = _Server(("127.0.0.1", self.port), _Handler)
        self._http.scripted = self
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.port}/v1"

    def plan(self, *steps: Step | str) -> None:
        """Answer the next requests so."""
        self.script.extend(Step(step) if isinstance(step, str) else step for step in steps)

    def pause(self, seconds: float) -> bool:
        """Wait; true if the server is stopping."""
        return self._stopping.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    scripted: ScriptedServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        scripted = self.server.scripted
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        request = Request(self.path, key, body, time.monotonic())
        scripted.requests.append(request)
        self.close_connection = True
        if self.path != "/v1/chat/completions":
            self._error("404", Step())
            return
        step = scripted.script.popleft() if scripted.script else _by_marker(request.document)
        if step.fault in STATUS_FAULTS:
            self._error(step.fault, step)
        elif step.fault == "ok":
            self._completion(request, json.dumps(_answer(request, step)))
        else:
            getattr(self, "_fault_" + step.fault.replace("-", "_"))(request, step)

    def _send(self, status: int, body: bytes, kind: str = "application/json", **more: str) -> None:
        self.send_response(status)
        headers = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
        for name, value in (headers | more).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _error(self, fault: str, step: Step) -> None:
        status, kind, code = STATUS_FAULTS[fault]
        error = {"error": {"message": f"scripted {fault}", "type": kind, "code": code}}
        more = {"retry_after": step.retry_after} if step.retry_after is not None else {}
        self._send(status, json.dumps(error).encode(), **more)

    def _completion(self, request: Request, content: str | None, **other: Any) -> None:
        self._send(200, _envelope(request, content, **other))

    def _fault_timeout(self, request: Request, step: Step) -> None:
        self.server.scripted.pause(20)

    def _fault_drip(self, request: Request, step: Step) -> None:
        body = _envelope(request, json.dumps(_answer(request, step)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        for index in range(len(body)):
            self.wfile.write(body[index : index + 1])
            if self.server.scripted.pause(0.1):
                return

    def _fault_reset(self, request: Request, step: Step) -> None:
        # Linger 0 turns the close into a reset.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def _fault_empty(self, request: Request, step: Step) -> None:
        self._send(200, b"")

    def _fault_html(self, request: Request, step: Step) -> None:
        self._send(200, b"<html><body>gateway</body></html>", "text/html")

    def _fault_null(self, request: Request, step: Step) -> None:
        self._send(200, b"null")

    def _fault_truncated(self, request: Request, step: Step) -> None:
        self._completion(request, '{"label": "invo')

    def _fault_enum(self, request: Request, step: Step) -> None:
        self._completion(request, json.dumps({"label": "banana", "evidence": ["x"]}))

    def _fault_nolabel(self, request: Request, step: Step) -> None:
        self._completion(request, json.dumps({"evidence": []}))

    def _fault_nan(self, request: Request, step: Step) -> None:
        self._completion(request, json.dumps(_answer(request, step) | {"confidence": float("nan")}))

    def _fault_range(self, request: Request, step: Step) -> None:
        self._completion(request, json.dumps(_answer(request, step) | {"confidence": 7}))

    def _fault_nochoices(self, request: Request, step: Step) -> None:
        self._send(200, json.dumps({"id": "x", "object": "chat.completion"}).encode())

    def _fault_length(self, request: Request, step: Step) -> None:
        self._completion(request, '{"label": "in', finish="length")

    def _fault_filter(self, request: Request, step: Step) -> None:
        self._completion(request, None, finish="content_filter")

    def _fault_refusal(self, request: Request, step: Step) -> None:
        self._completion(request, None, refusal="I cannot help with that.")

    def _fault_huge(self, request: Request, step: Step) -> None:
        answer = _answer(request, step)
        answer["evidence"] += ["never written " * 10] * 700
        self._completion(request, json.dumps(answer))


def _envelope(
    request: Request, content: str | None, finish: str = "stop", refusal: str | None = None
) -> bytes:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return json.dumps(
        {
            "id": "chatcmpl-scripted",
            "object": "chat.completion",
            "created": 1,
            "model": request.body["model"],
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
    ).encode()


def _by_marker(document: str) -> Step:
    marker = MARKER.search(document)
    return Step(marker[1].lower()) if marker else Step()


def _answer(request: Request, step: Step) -> dict[str, Any]:
    label = step.label or _choose(request.document, request.labels)
    answer: dict[str, Any] = {
        "label": label,
        "evidence": list(step.evidence or _first_lines(request.document)),
        "summary": step.summary,
    }
    if "fields" in request.schema["properties"]:
        names = ("name", "value", "quote")
        answer["fields"] = [dict(zip(names, fact, strict=True)) for fact in step.fields]
    return answer


def _first_lines(document: str) -> list[str]:
    lines = (line.strip() for line in document.splitlines())
    return [line for line in lines if line and not line.startswith("[page ")][:1]


def _choose(document: str, labels: list[str]) -> str:
    marker = LABEL_MARKER.search(document)
    if marker and marker[1] in labels:
        return marker[1]
    from inbox.classify.lexicon import score_labels
    from inbox.classify.reading import Reading
    from inbox.model import Label

    reading = Reading(document, "text/plain")
    scores = score_labels(reading, [Label(name=name) for name in labels])
    return max(scores, key=lambda name: scores[name].points)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    with ScriptedServer(parser.parse_args().port) as server:
        print(server.url, flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
