"""The page: static files of this package, and what they need to know of this server.

No build step, no other host, and a content security policy that allows no inline script or style.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Header, Request, Response, status
from starlette.exceptions import HTTPException

from inbox.advice import ANYTHING_ELSE, REASONS, REMEDIES
from inbox.api.routes import DISTRIBUTION
from inbox.classify import DEFAULT_LABELS
from inbox.model import Value
from inbox.settings import Settings

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
public = APIRouter(include_in_schema=False)


class Facts(Value):
    """What the page needs to know of this server.

    Attributes:
        labels: the default ones.
        remedies: what to do, by error code.
        anything_else: what to do about other errors.
        reasons: why a file waits for a person, by review reason.
    """

    version: str
    max_files: int
    max_file_bytes: int
    max_job_bytes: int
    labels: tuple[str, ...]
    remedies: dict[str, str]
    anything_else: str
    reasons: dict[str, str]


class Asset(NamedTuple):
    """A static file."""

    content: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """The static files by name."""
    found = {}
    for file in files("inbox.web").iterdir():
        media_type = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:32]
            found[file.name] = Asset(content, media_type, f'"{digest}"')
    return found


@public.get("/")
async def home(
    accept: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """The page for browsers; for programs, where to go from here."""
    if "text/html" in accept:
        return _served("index.html", if_none_match)
    facts = {"name": DISTRIBUTION, "version": version(DISTRIBUTION), "docs": "/docs"}
    return Response(json.dumps(facts), media_type="application/json", headers={"Vary": "Accept"})


@public.get("/assets/{name}")
async def asset(name: str, if_none_match: Annotated[str, Header()] = "") -> Response:
    """A part of the page."""
    return _served(name, if_none_match)


@public.get("/assets/facts/this-server")
async def facts(request: Request, response: Response) -> Facts:
    """What the page needs to know; nothing of it is secret."""
    settings: Settings = request.app.state.inbox.settings
    response.headers["Cache-Control"] = "no-cache"
    return Facts(
        version=version(DISTRIBUTION),
        max_files=settings.max_files,
        max_file_bytes=settings.max_file_bytes,
        max_job_bytes=settings.max_job_bytes,
        labels=tuple(label.name for label in DEFAULT_LABELS),
        remedies=dict(REMEDIES),
        anything_else=ANYTHING_ELSE,
        reasons=dict(REASONS),
    )


def _served(name: str, if_none_match: str) -> Response:
    found = assets().get(name)
    if found is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    headers = {**HEADERS, "ETag": found.etag, "Vary": "Accept"}
    if found.etag in if_none_match:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)
