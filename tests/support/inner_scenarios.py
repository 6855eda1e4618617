"""Single promises about files inside files and pages that are kept, each shown in a few calls.

Each raises AssertionError where the promise is broken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import psycopg
from queue_races import Caller

SHA, OTHER = "ab" * 32, "cd" * 32
PAGE = [{"number": 1, "text": "words", "source": "ocr"}]
CASE = {"status": "completed", "details": {"container": True}}
ROOM = (100, 1000)


def a_lost_worker_adds_nothing(url: str) -> None:
    """No child, no progress, no page; and it is told no file."""
    with Caller(url) as caller:
        held = _held(caller)
        job_id, token, _ = held
        caller("release_job", job_id, token)
        caller("claim_job", job_id, "another", 30.0)
        assert caller("add_children", *held, _children(1), *ROOM, 30.0) == "lost"
        assert caller("progress", *held, 1, 2, 0, 30.0) == "lost"
        assert caller("keep_pages", *held, SHA, "r", PAGE) == "lost"
        assert caller("open_files", job_id, token, 0) is None
        assert caller("job_view", job_id)["total_files"] == 1
        assert caller("kept_pages", "local", SHA, "r") == []


def children_are_added_once(url: str) -> None:
    """Not again while the container is open, and not after it is over."""
    with Caller(url) as caller:
        held = _held(caller)
        for _ in range(2):
            assert caller("add_children", *held, _children(2), *ROOM, 30.0) == "ok"
        assert caller("job_view", held[0])["total_files"] == 3
    with Caller(url) as caller:
        held = _held(caller)
        caller("start_file", *held, 30.0)
        caller("record_file", *held, CASE, 30.0)
        assert caller("add_children", *held, _children(2), *ROOM, 30.0) == "ok"
        assert caller("job_view", held[0])["total_files"] == 1


def containers_share_a_room(url: str) -> None:
    """The files and bytes of all containers of a job are bounded together."""
    with Caller(url) as caller:
        job_id, token, first = _held(caller)
        caller("add_children", job_id, token, first, _children(2), 3, 100, 30.0)
        second = caller("open_files", job_id, token, 1)[0]["id"]
        more = job_id, token, second, _children(2)
        assert caller("add_children", *more, 3, 100, 30.0) == "too_many_entries"
        assert caller("add_children", *more, 4, 3, 30.0) == "too_large"
        assert caller("add_children", *more, 4, 4, 30.0) == "ok"


def what_was_not_taken_out_is_over(url: str) -> None:
    """It counts as done, and the job can end."""
    with Caller(url) as caller:
        held = _held(caller)
        children = [{**_children(1)[0], "error_code": "encrypted_file"}]
        caller("add_children", *held, children, *ROOM, 30.0)
        assert caller("open_files", *held[:2], 1) == []
        caller("start_file", *held, 30.0)
        caller("record_file", *held, CASE, 30.0)
        assert caller("finish_job", *held[:2]) == "completed"


def progress_within_a_file_only_grows(url: str) -> None:
    """And is not complete before the file is over; it is a sign of life."""
    with Caller(url) as caller:
        held = _held(caller)
        caller("start_file", *held, 30.0)
        for done, progress in ((5, 50), (2, 50), (10, 99)):
            assert caller("progress", *held, done, 10, 0, 30.0) == "ok"
            assert caller("job_view", held[0])["progress"] == progress
        row = _row(caller, "select pages_done, pages_total from inbox_files where id = %s", held[2])
        assert row == (10, 10)
        caller("cancel_job", held[0])
        assert caller("progress", *held, 10, 10, 0, 30.0) == "cancel"


def pages_are_kept_for_their_content(url: str) -> None:
    """A worker writes under the digest of its file, and of no other."""
    with Caller(url) as caller:
        held = _held(caller, sha256=SHA)
        with contextlib.suppress(psycopg.errors.InvalidParameterValue):
            caller("keep_pages", *held, OTHER, "r", PAGE)
        assert caller("kept_pages", "local", OTHER, "r") == []
        caller("keep_pages", *held, SHA, "r", PAGE)
        assert caller("kept_pages", "local", SHA, "r") == PAGE


def pages_go_with_the_last_job(url: str) -> None:
    """Not before, and not later."""
    with Caller(url) as caller:
        jobs = [_held(caller, sha256=SHA) for _ in range(2)]
        caller("keep_pages", *jobs[0], SHA, "r", PAGE)
        for (job_id, token, _), left in zip(jobs, (PAGE, []), strict=True):
            caller("cancel_job", job_id)
            caller("finish_job", job_id, token)
            caller("delete_job", job_id)
            assert caller("kept_pages", "local", SHA, "r") == left


def secrets_end_with_the_job(url: str) -> None:
    """When it is over, whatever it ended as."""
    with Caller(url) as caller:
        job_id, token, _ = _held(caller)
        assert _row(caller, "select sealed from inbox_jobs where id = %s", job_id) == ("1.x",)
        caller("cancel_job", job_id)
        caller("finish_job", job_id, token)
        assert _row(caller, "select sealed from inbox_jobs where id = %s", job_id) == (None,)


def _children(count: int) -> list[dict[str, Any]]:
    return [{"name": "x", "storage_key": f"{n}", "size_bytes": 1} for n in range(count)]


def _row(caller: Caller, query: str, value: Any) -> Any:
    return caller.connection.execute(query.encode(), (value,)).fetchone()


def _held(caller: Caller, sha256: str | None = None) -> tuple[Any, int, str]:
    """A job of one file that is claimed: its id, its token, its file."""
    job_id = caller.submit(
        files=0, sealed="1.x", items=[{"name": "x", "storage_key": "k", "sha256": sha256}]
    )
    lease = caller("claim_job", job_id, "me", 30.0)
    return job_id, lease["token"], lease["files"][0]["id"]


SCENARIOS: dict[str, Callable[[str], None]] = {
    scenario.__name__: scenario
    for scenario in (
        a_lost_worker_adds_nothing,
        children_are_added_once,
        containers_share_a_room,
        what_was_not_taken_out_is_over,
        progress_within_a_file_only_grows,
        pages_are_kept_for_their_content,
        pages_go_with_the_last_job,
        secrets_end_with_the_job,
    )
}
