"""What a query string holds: moments, opaque cursors; and RFC 8288 links to the next page."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from starlette.datastructures import QueryParams

from inbox.errors import InvalidRequest
from inbox.model import JobSummary

TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:")


def moment(text: str) -> str:
    """RFC 3339, and not a number, which would be seconds since 1970."""
    if not TIMESTAMP.match(text):
        raise ValueError("a timestamp such as 2026-01-31T12:00:00Z is needed")
    return text


def in_utc(at: datetime) -> datetime:
    """The same moment; offsets that a database does not know are gone."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the timestamp is out of range") from None


Moment = Annotated[AwareDatetime, BeforeValidator(moment), AfterValidator(in_utc)]


def write_cursor(job: JobSummary) -> str:
    """The place below a job."""
    text = f"{job.created_at.isoformat()}|{job.job_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """The place that a cursor stands for.

    Raises:
        InvalidRequest: it is not one of ours.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, _, job_id = base64.urlsafe_b64decode(padded.encode()).decode().partition("|")
        return datetime.fromisoformat(created_at).astimezone(UTC), UUID(job_id)
    except (ValueError, OverflowError, binascii.Error):
        raise InvalidRequest("this cursor is not one of ours; take it from `next_cursor`") from None


def links(path: str, query: QueryParams, following: str | None) -> str:
    """The Link header of a page of a list: its first page, and its next one if there is one."""
    kept = [(name, value) for name, value in query.multi_items() if name != "cursor"]
    pages = [("first", kept)]
    if following is not None:
        pages.append(("next", [*kept, ("cursor", following)]))
    return ", ".join(
        f'<{path}{"?" if pairs else ""}{urlencode(pairs)}>; rel="{relation}"'
        for relation, pairs in pages
    )
