"""The pages of a file as pictures, with the places where its evidence stands."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial
from typing import Annotated
from uuid import UUID

import anyio
from anyio import CapacityLimiter
from fastapi import APIRouter, Header, Path, Request, Response, status
from pydantic import Field

from inbox.api.auth import Known
from inbox.api.door import Door
from inbox.api.problems import responses
from inbox.errors import (
    Busy,
    FileNotCompleted,
    FileNotFound,
    InvalidRequest,
    JobNotFound,
    PageNotFound,
    StoreUnavailable,
)
from inbox.extract.viewer import PageView
from inbox.model import FileResult, FileStatus, Page, PageSource, Value
from inbox.service import Inbox

CACHE_BYTES = 64 * 1024 * 1024
AT_ONCE = 2  # drawing keeps a core busy, and people look at one page at a time
MOST_WAITING = 32
MOST_PAGES = 100_000
REFUSALS = (
    JobNotFound,
    FileNotFound,
    FileNotCompleted,
    PageNotFound,
    InvalidRequest,
    StoreUnavailable,
    Busy,
)
router = APIRouter()

Number = Annotated[int, Path(ge=1, le=MOST_PAGES, description="Counted from 1.")]
Share = Annotated[float, Field(ge=0, le=1)]


class Place(Value):
    """A quote, and where it stands on the page.

    Attributes:
        quote: as in the file's evidence.
        boxes: one a line: left, top, right and bottom as shares of the page's width and height.
    """

    quote: str
    boxes: tuple[tuple[Share, Share, Share, Share], ...]


class ShownPage(Value):
    """A page of a file.

    Attributes:
        picture: where its picture is; None where the format has no pages to draw.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        text: what was read on the page.
        source: where the text came from.
        confidence: mean word confidence of the OCR engine, 0 to 1.
        evidence: the quotes of this page.
    """

    number: int
    pages: int | None
    picture: str | None
    width: int
    height: int
    text: str
    source: PageSource
    confidence: float | None
    evidence: tuple[Place, ...]


class Desk:
    """Draws pages for the requests: few at once, and the last ones are remembered."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(AT_ONCE)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[UUID, int], PageView] = OrderedDict()
        self._bytes = 0

    def kept(self, file_id: UUID, number: int) -> PageView | None:
        """A page that was drawn lately."""
        key = (file_id, number)
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    async def page(self, inbox: Inbox, job_id: UUID, file: FileResult, number: int) -> PageView:
        """A page of a file; see `inbox.extract.viewer.Viewer.draw`.

        Raises:
            PageNotFound: there is none of this number.
            Busy: too many wait already.
        """
        kept = self.kept(file.file_id, number)
        if kept is not None:
            return kept
        if self._limiter.statistics().tasks_waiting >= MOST_WAITING:
            raise Busy("too many pages are being drawn at the moment")
        found = await anyio.to_thread.run_sync(
            _draw, inbox, job_id, file, number, limiter=self._limiter
        )
        key = (file.file_id, number)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = found
                self._bytes += _size(found)
            while self._bytes > CACHE_BYTES:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= _size(dropped)
        return found


def _size(view: PageView) -> int:
    return len(view.png or b"") + 1000


def _draw(inbox: Inbox, job_id: UUID, file: FileResult, number: int) -> PageView:
    source = inbox.check_readable(job_id, file.file_id)
    with inbox.blobs.fetch(source.blob) as path:
        found = inbox.viewer.draw(path, number, _quotes(file, number))
    if found is None:
        raise PageNotFound("the file has no page of this number")
    return found


def _quotes(file: FileResult, number: int) -> list[str]:
    return [one.quote for one in file.evidence if one.page == number]


def _read(inbox: Inbox, job_id: UUID, file_id: UUID, number: int) -> Page:
    pages = inbox.document(job_id, file_id).pages
    if number > len(pages):
        raise PageNotFound("the file has no page of this number")
    return pages[number - 1]


@router.get(
    "/job/{job_id}/files/{file_id}/pages/{number}.png",
    response_class=Response,
    responses={
        **responses(*REFUSALS),
        200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "It is the picture that you have."},
    },
    summary="The picture of a page",
)
async def page_picture(
    *,
    request: Request,
    job_id: UUID,
    file_id: UUID,
    number: Number,
    inbox: Door,
    caller: Known,
    if_none_match: Annotated[str, Header(description="The ETag of the picture you have.")] = "",
) -> Response:
    """A page of a PDF or a picture, drawn away from the keys and the network."""
    # The whole job, whose evidence is drawn over the page, is wanted only to draw it anew.
    check = partial(inbox.check_readable, job_id, file_id, caller.client_id)
    await anyio.to_thread.run_sync(check)
    headers = {"ETag": f'"{file_id}-{number}"', "Cache-Control": "private, no-cache"}
    if headers["ETag"] in if_none_match:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    desk: Desk = request.app.state.desk
    view = desk.kept(file_id, number)
    if view is None:
        file = await _file(inbox, job_id, file_id, caller.client_id)
        view = await desk.page(inbox, job_id, file, number)
    if view.png is None:
        raise PageNotFound("no picture is made of files of this format; they have text only")
    return Response(
        view.png, media_type="image/png", headers=headers | {"X-Content-Type-Options": "nosniff"}
    )


@router.get(
    "/job/{job_id}/files/{file_id}/pages/{number}",
    responses=responses(*REFUSALS),
    summary="What is to be seen on a page",
)
async def page(
    *,
    request: Request,
    job_id: UUID,
    file_id: UUID,
    number: Number,
    inbox: Door,
    caller: Known,
    response: Response,
) -> ShownPage:
    """Where the picture of a page is, and where on it the evidence stands."""
    file = await _file(inbox, job_id, file_id, caller.client_id)
    desk: Desk = request.app.state.desk
    view = await desk.page(inbox, job_id, file, number)
    read = await anyio.to_thread.run_sync(_read, inbox, job_id, file_id, number)
    response.headers["Cache-Control"] = "no-store"
    quotes = _quotes(file, number)
    here = f"/job/{job_id}/files/{file_id}/pages/{number}.png"
    return ShownPage(
        number=number,
        pages=file.pages,
        picture=None if view.png is None else here,
        width=view.width,
        height=view.height,
        text=read.text,
        source=read.source,
        confidence=read.confidence,
        evidence=tuple(
            Place(quote=quote, boxes=boxes)
            for quote, boxes in zip(quotes, view.boxes or ((),) * len(quotes), strict=True)
        ),
    )


async def _file(inbox: Inbox, job_id: UUID, file_id: UUID, client_id: str | None) -> FileResult:
    job = await anyio.to_thread.run_sync(inbox.get, job_id, client_id)
    results = () if job.result is None else job.result.results
    file = next((one for one in results if one.file_id == file_id), None)
    if file is None:
        raise FileNotFound("no job has such a file")
    if file.status is not FileStatus.COMPLETED:
        raise FileNotCompleted("the file is not completed, so it has no pages")
    return file
