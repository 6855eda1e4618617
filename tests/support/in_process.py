"""Reading without a sandbox, so that a test sees the very error that a reader raises."""

from __future__ import annotations

from inbox.errors import PermanentError
from inbox.extract import work
from inbox.extract.options import Options
from inbox.extract.plan import settle
from inbox.model import Page


def read(data: bytes, options: Options) -> tuple[Page, ...]:
    """All pages of a file, one batch after the other."""
    _, plan = work.plan(data, options)
    found: dict[int, Page] = {}
    failed: list[PermanentError] = []
    for batch in plan.batches:
        try:
            found |= {page.number - 1: page for page in work.read_batch(data, options, batch)}
        except PermanentError as error:
            failed.append(error)
    return tuple(settle(plan, found, failed))
