"""The page's static parts, and the pictures of pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import anyio
import httpx
import pytest
from api_server import client_of, running

from inbox.api import pages
from inbox.api.pages import CACHE_BYTES
from inbox.extract.viewer import PageView
from inbox.model import FileResult, FileStatus
from inbox.samples import business
from inbox.samples.sheet import pdf
from inbox.service import Inbox
from inbox.settings import Settings

HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a running server."""
    with running(settings) as server, client_of(server) as client:
        yield client


def done(client: httpx.Client, settings: Settings, files: dict[str, bytes]) -> dict[str, Any]:
    """The job of these files, once it is over."""
    parts = [("files", (name, content)) for name, content in files.items()]
    job_id = client.post("/classify-documents-async", files=parts).json()["job_id"]
    with Inbox(settings) as inbox:
        inbox.work()
    found: dict[str, Any] = client.get(f"/job/{job_id}").json()
    return found


def test_browsers_get_the_page_and_programs_the_way(client: httpx.Client) -> None:
    """One address for both."""
    page = client.get("/", headers=HTML)
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/").json()["docs"] == "/docs"


def test_the_page_allows_nothing_inline_and_no_other_host(client: httpx.Client) -> None:
    """The policy is strict, and every part of the page comes from here."""
    page = client.get("/", headers=HTML)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    parts = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text))
    assert len(parts) == 3
    for part in parts:
        answer = client.get(part)
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        known = {"If-None-Match": answer.headers["etag"]}
        assert client.get(part, headers=known).status_code == 304
        assert not re.search(r"""https?://(?!www\.w3\.org/)""", answer.text), part
    assert not re.search(r"<script(?![^>]*src=)|<style| style=| on[a-z]+=", page.text)


@pytest.mark.parametrize("name", ["..%2fapp.py", "__init__.py", "nothing.js", "%2e%2e/web.py"])
def test_nothing_else_is_served(client: httpx.Client, name: str) -> None:
    """Only what belongs to the page can be had."""
    assert client.get(f"/assets/{name}").status_code == 404


def test_a_page_is_shown_with_its_evidence(client: httpx.Client, settings: Settings) -> None:
    """The picture, its size and the place of each quote; unchanged, it is not sent again."""
    job = done(client, settings, {"a.pdf": pdf([business.invoice()])})
    file = job["result"]["results"][0]
    path = f"/job/{job['job_id']}/files/{file['file_id']}/pages/1"
    shown = client.get(path).json()
    assert [one["quote"] for one in shown["evidence"]] == [one["quote"] for one in file["evidence"]]
    assert all(one["boxes"] for one in shown["evidence"])
    picture = client.get(shown["picture"])
    assert picture.content.startswith(b"\x89PNG")
    known = {"If-None-Match": picture.headers["etag"]}
    assert client.get(shown["picture"], headers=known).status_code == 304
    assert client.get(path.replace("/pages/1", "/pages/2")).json()["code"] == "page_not_found"
    assert client.get(f"/job/{job['job_id']}/files/{uuid4()}/pages/1.png").status_code == 404
    assert client.get(path.replace(job["job_id"], str(uuid4()))).json()["code"] == "job_not_found"


def test_a_page_without_a_picture_has_its_quotes(client: httpx.Client, settings: Settings) -> None:
    """What has no pages to draw is said to have none."""
    job = done(client, settings, {"a.txt": b"INVOICE\nBill to: Ada\nTotal amount due: 12.00\n"})
    path = f"/job/{job['job_id']}/files/{job['result']['results'][0]['file_id']}/pages/1"
    shown = client.get(path).json()
    assert shown["picture"] is None
    assert shown["evidence"]
    assert all(one["quote"] in shown["text"] for one in shown["evidence"])
    assert client.get(f"{path}.png").json()["code"] == "page_not_found"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> None:
    """Old pictures go when new ones come; a page that is asked for again is not drawn again."""
    drawn: list[int] = []

    def draw(_inbox: Inbox, _job: UUID, _file: FileResult, number: int) -> PageView:
        drawn.append(number)
        return PageView(png=bytes(CACHE_BYTES // 4))

    monkeypatch.setattr(pages, "_draw", draw)
    file = FileResult(file_id=uuid4(), number=1, filename="a.pdf", status=FileStatus.COMPLETED)

    async def look() -> None:
        desk = pages.Desk()
        for number in (1, 1, 2, 3, 4, 5, 5, 1):
            await desk.page(inbox, uuid4(), file, number)

    anyio.run(look)
    assert drawn == [1, 2, 3, 4, 5, 1]
