"""Following a file while it is read, with a database that fails."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from inbox.errors import InvalidRequest, JobCancelled, LeaseLost, StoreUnavailable
from inbox.following import MAX_PAGE_BYTES, Follower, batched
from inbox.holding import Holding
from inbox.model import Blob, Document, File, Heartbeat, Lease, Page, PageSource
from inbox.store.store import Store

SHA = "ab" * 32
FILE = File(id=uuid4(), number=1, name="x", blob=Blob(key="k", sha256=SHA))
LEASE = Lease(job_id=uuid4(), token=1, attempt=1, expires_at=datetime.now(UTC), files=(FILE,))


class Failing:
    """A transport that notes calls, and fails as it is told."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """Fail, or say that all is well."""
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.calls.append((function, arguments))
        return [] if function == "inbox_kept_pages" else "ok"

    def close(self) -> None:
        """Nothing is open."""

    def kept(self) -> list[list[int]]:
        """The numbers of the pages of each call."""
        calls = [given for name, given in self.calls if name == "inbox_keep_pages"]
        return [[page["number"] for page in given["p_pages"]] for given in calls]


def follower(transport: Failing, *, keep: bool = True) -> Follower:
    """A follower of one file."""
    holding = Holding(LEASE, lambda _: Heartbeat.OK, 60, 60)
    made = Follower(Store(transport, 30, 0), holding, FILE, SHA, keep=keep)
    made.known("recipe", ())
    return made


def page(number: int, text: str = "words") -> Page:
    """A recognised page."""
    return Page(number=number, text=text, source=PageSource.OCR)


def test_what_the_database_did_not_take_goes_with_the_next_page() -> None:
    """A page costs more than a call; and none is written twice."""
    transport = Failing(StoreUnavailable("away"), StoreUnavailable("away"))
    one = follower(transport)
    for number in (1, 2, 3):
        one.found([page(number)], number, 9)
    one.whole(Document(media_type="x", pages=tuple(page(n) for n in (1, 2, 3, 4))))
    assert sorted(functools.reduce(operator.iadd, transport.kept(), [])) == [1, 2, 3, 4]
    assert transport.calls[-1][1]["p_whole"] is True


def test_no_result_is_lost_for_a_note() -> None:
    """A database that is away, or refuses a page, does not end the reading."""
    away = follower(Failing(*[StoreUnavailable("away")] * 3))
    away.begun(0, 2)
    away.found([page(1)], 2, 2)
    refusing = Failing(InvalidRequest("a text holds NUL"))
    one = follower(refusing)
    for number in (1, 2):
        one.found([page(number)], number, 9)
    assert refusing.kept() == [[2]]


@pytest.mark.parametrize("answer", [LeaseLost("lost"), JobCancelled("cancelled")])
def test_a_lost_or_cancelled_job_ends_the_reading(answer: Exception) -> None:
    """What a note is answered with is heard at once."""
    one = follower(Failing(answer))
    with pytest.raises(type(answer)):
        one.begun(0, 9)


def test_nothing_is_kept_where_nothing_is_to_be() -> None:
    """Progress is told all the same, and not for every page."""
    transport = Failing()
    one = follower(transport, keep=False)
    one.begun(0, 9)
    for number in range(1, 10):
        one.found([page(number)], number, 9)
    one.whole(Document(media_type="x", pages=(page(1),)))
    told = [given["p_done"] for _, given in transport.calls]
    assert transport.kept() == []
    assert (told[0], told[-1]) == (0, 9)
    assert len(told) < 9


@pytest.mark.parametrize(
    ("sizes", "calls"),
    [([MAX_PAGE_BYTES + 1], 0), ([MAX_PAGE_BYTES] * 3, 2), ([MAX_PAGE_BYTES] * 40, 0), ([], 1)],
)
def test_a_call_carries_so_much_and_no_more(sizes: Sequence[int], calls: int) -> None:
    """A sheet of a million cells is read again rather than kept."""
    transport = Failing()
    pages = tuple(page(n, "x" * size) for n, size in enumerate(sizes, start=1))
    follower(transport).whole(Document(media_type="x", pages=pages))
    assert len(transport.kept()) == calls
    assert functools.reduce(operator.iadd, batched(pages), []) == list(pages)
