"""A file in another form: as text, Markdown, words with their places, or a searchable PDF."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from inbox.api.auth import Known
from inbox.api.door import Door
from inbox.api.problems import responses
from inbox.errors import (
    FileNotCompleted,
    FileNotFound,
    LinkExpired,
    SecretKeyMissing,
    StoreUnavailable,
    UnsupportedOutput,
)
from inbox.extract.outputs import MEDIA_TYPES, Output, output_of
from inbox.links import Link, link_of, token_of

LINK_SECONDS = 300
SUFFIXES: dict[Output, str] = {"text": "txt", "markdown": "md", "words": "json", "pdf": "pdf"}
BINARY = {"schema": {"type": "string", "format": "binary"}}
REASONS = (FileNotFound, FileNotCompleted, UnsupportedOutput, StoreUnavailable)
REFUSALS = responses(*REASONS)
WORDS = {
    "type": "object",
    "required": ["media_type", "pages"],
    "properties": {
        "media_type": {"type": "string"},
        "pages": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["number", "text", "words"],
                "properties": {
                    "number": {"type": "integer", "minimum": 1},
                    "text": {"type": "string"},
                    "words": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["text", "confidence", "box"],
                            "properties": {
                                "text": {"type": "string"},
                                "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                                "box": {
                                    "type": "array",
                                    "items": {"type": "number"},
                                    "minItems": 4,
                                    "maxItems": 4,
                                    "description": "Left, top, right and bottom, as shares of the "
                                    "page's width and height.",
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
FILE_ANSWER = {
    "description": "The file, as an attachment.",
    "content": {media_type.partition(";")[0]: BINARY for media_type in MEDIA_TYPES.values()}
    | {MEDIA_TYPES["words"]: {"schema": WORDS}},
}
Form = Annotated[Output, Query(alias="form", description="What the file is turned into.")]

router = APIRouter()
public = APIRouter()


class DownloadLink(BaseModel):
    """A link that needs no key, until it expires."""

    url: str
    expires_at: datetime


@router.get(
    "/job/{job_id}/files/{file_id}/download",
    response_class=Response,
    responses={**REFUSALS, 200: FILE_ANSWER},
    summary="A file in another form",
)
def download(
    job_id: UUID, file_id: UUID, inbox: Door, caller: Known, form: Form = "text"
) -> Response:
    """Plain text, Markdown, words with their boxes (JSON), or a PDF that can be searched."""
    return _answer(inbox.render(job_id, file_id, form, caller.client_id), file_id, form)


@router.post(
    "/job/{job_id}/files/{file_id}/link",
    responses=responses(*REASONS, SecretKeyMissing),
    summary="A short-lived link to a file in another form",
)
def make_link(
    job_id: UUID,
    file_id: UUID,
    *,
    request: Request,
    inbox: Door,
    caller: Known,
    form: Form = "text",
) -> DownloadLink:
    """The link works without a key for five minutes."""
    inbox.check_readable(job_id, file_id, caller.client_id)
    until = int(time.time()) + LINK_SECONDS
    token = token_of(inbox.settings, Link(job_id, file_id, until, form))
    return DownloadLink(
        url=str(request.url_for("open_link", token=token)),
        expires_at=datetime.fromtimestamp(until, UTC),
    )


@public.get(
    "/download/{token}",
    response_class=Response,
    responses={**responses(LinkExpired), **REFUSALS, 200: FILE_ANSWER},
    summary="What a short-lived link opens",
)
def open_link(token: str, inbox: Door) -> Response:
    """The file that the link was made for; no key is needed."""
    link = link_of(inbox.settings, token, time.time())
    form = output_of(link.output)
    return _answer(inbox.render(link.job_id, link.file_id, form), link.file_id, form)


def _answer(content: bytes, file_id: UUID, form: Output) -> Response:
    return Response(
        content,
        media_type=MEDIA_TYPES[form],
        headers={
            "Content-Disposition": f'attachment; filename="{file_id}.{SUFFIXES[form]}"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
