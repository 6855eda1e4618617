"""What the tests of the API say of its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from inbox.service import Inbox
from inbox.settings import Settings

SUBMIT = "/classify-documents-async"


def files_in(settings: Settings) -> list[Path]:
    """Everything in the blob folder, half files too."""
    return [path for path in settings.blobs_folder.rglob("*") if path.is_file()]


def assert_refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a problem document of this kind."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["title"]
    return problem


def assert_nothing_left(settings: Settings, inbox: Inbox) -> None:
    """No blob and no job."""
    assert files_in(settings) == []
    assert inbox.list() == ()
