"""What both clients share: how requests are made, judged and read."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias
from uuid import UUID, uuid4

import httpx

from inbox.interface import Event

Source: TypeAlias = str | Path | tuple[str, bytes]
SUBMIT = "/classify-documents-async"
AGAIN = {429, 500, 502, 503, 504}
LONGEST_PAUSE_SECONDS = 30.0
WAIT_SECONDS = 30.0


class ApiError(Exception):
    """The API refused a request, or was away for all tries.

    Attributes:
        status: HTTP's.
        code: stable, as docs/api.md lists them.
        detail: one sentence.
        problem: the whole RFC 9457 document.
    """

    def __init__(self, answer: httpx.Response) -> None:
        try:
            found = answer.json()
        except ValueError:
            found = None
        self.problem: Mapping[str, Any] = found if isinstance(found, dict) else {}
        self.status = answer.status_code
        self.code = str(self.problem.get("code", "unknown"))
        self.detail = str(self.problem.get("detail", answer.reason_phrase))
        super().__init__(f"{self.status} {self.code}: {self.detail}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that may be sent again."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0

    def arguments(self, opened: ExitStack, timeout: float) -> dict[str, Any]:
        """What httpx is given; files are opened anew for every try."""
        found: dict[str, Any] = {
            "params": self.params,
            "headers": self.headers,
            "timeout": timeout + self.wait,
        }
        if self.sources:
            found["files"] = [("files", _part(source, opened)) for source in self.sources]
            found["data"] = self.data
        return found


def submission(
    sources: Sequence[Source],
    labels: Iterable[str | Mapping[str, str]] | None,
    options: Mapping[str, Any] | None,
    idempotency_key: str | None,
) -> Call:
    """A submission, under a key of its own if none is given.

    Raises:
        ValueError: there is nothing to submit.
    """
    if not sources:
        raise ValueError("submit at least one file")
    data: dict[str, str] = {}
    if labels is not None:
        data["labels"] = json.dumps(list(labels))
    if options is not None:
        data["options"] = json.dumps(dict(options))
    headers = {"Idempotency-Key": idempotency_key or uuid4().hex}
    return Call("POST", SUBMIT, headers=headers, sources=tuple(sources), data=data)


def getting(job_id: UUID | str, wait: float) -> Call:
    """A look at a job."""
    return Call("GET", f"/job/{job_id}", params={"wait": wait} if wait else {}, wait=wait)


def following(job_id: UUID | str, after: int, timeout: float) -> dict[str, Any]:
    """A stream of events: what httpx is given."""
    return {
        "method": "GET",
        "url": f"/job/{job_id}/events",
        "headers": {"Last-Event-ID": str(after)},
        "timeout": timeout,
    }


def is_final(failure: Exception) -> bool:
    """Whether another try gives the same answer."""
    return isinstance(failure, ApiError) and failure.status not in AGAIN


def headers_of(key: str | None) -> dict[str, str]:
    """What every request carries."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def pause(tries: int, answer: httpx.Response | None) -> float:
    """Seconds before the next try: as the server says, else longer each time."""
    after = "" if answer is None else answer.headers.get("retry-after", "")
    if after.isdecimal():
        return min(float(after), LONGEST_PAUSE_SECONDS)
    steady: float = min(LONGEST_PAUSE_SECONDS, 0.25 * 2**tries)
    return steady * random.uniform(0.5, 1)  # noqa: S311 - no secret


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is a good one.

    Raises:
        ApiError: it is not.
    """
    if answer.is_success:
        return answer
    raise ApiError(answer)


class EventLines:
    """Puts the lines of a stream together to events."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def feed(self, line: str) -> Event | None:
        """Take a line; the event that it ends."""
        if line:
            name, _, value = line.partition(": ")
            self._fields[name] = value
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        data = json.loads(fields["data"])
        at = data.pop("at")
        found = {"sequence": fields["id"], "kind": fields["event"], "at": at, "data": data}
        return Event.model_validate(found)


def _part(source: Source, opened: ExitStack) -> tuple[str, IO[bytes] | bytes]:
    if isinstance(source, tuple):
        return source
    path = Path(source)
    return path.name, opened.enter_context(path.open("rb"))
