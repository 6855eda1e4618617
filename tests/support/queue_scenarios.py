"""Single promises of the queue, each shown in a few calls.

Each raises AssertionError where the promise is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
from queue_races import DONE, Caller

LATER = "set inbox.clock_offset = '20 seconds'"  # leases last 30
AHEAD = "set inbox.clock_offset = '2 hours'"
FURTHER_AHEAD = "set inbox.clock_offset = '2 hours 25 seconds'"
MUCH_LATER = "set inbox.clock_offset = '40 seconds'"


def a_job_is_written_by_its_holder(url: str) -> None:
    """The holder of one job cannot write into another."""
    with Caller(url) as caller:
        mine, theirs = caller.submit(files=1), caller.submit(files=1)
        lease = caller("claim_job", mine, "me", 30.0)
        other = caller("claim_job", theirs, "you", 30.0)
        file_id = other["files"][0]["id"]
        caller("start_file", theirs, other["token"], file_id, 30.0)
        caller("record_file", mine, lease["token"], file_id, DONE, 30.0)
        assert caller("job_view", theirs)["processed_files"] == 0
        assert caller("job_view", mine)["processed_files"] == 0


def a_beat_only_extends(url: str) -> None:
    """A worker that asks for less than it has keeps what it has."""
    with Caller(url) as caller, Caller(url, LATER) as later:
        job_id, token, _ = _held(caller)
        assert caller("heartbeat", job_id, token, 1.0) == "ok"
        assert later("heartbeat", job_id, token, 1.0) == "ok"


def a_record_is_a_sign_of_life(url: str) -> None:
    """A lease lasts from the last outcome, not from the claim."""
    with Caller(url) as caller, Caller(url, LATER) as later, Caller(url, MUCH_LATER) as last:
        job_id, token, file_id = _held(caller)
        failure = {"status": "failed", "error_code": "x"}
        assert later("record_file", job_id, token, file_id, failure, 30.0) == "ok"
        assert last("heartbeat", job_id, token, 30.0) == "ok"


def cancel_is_told(url: str) -> None:
    """At every sign of life of the worker that holds the job."""
    with Caller(url) as caller:
        job_id, token, file_id = _held(caller)
        caller("cancel_job", job_id)
        assert caller("heartbeat", job_id, token, 30.0) == "cancel"
        assert caller("start_file", job_id, token, file_id, 30.0) == "cancel"
        assert caller("record_file", job_id, token, file_id, DONE, 30.0) == "cancel"
        assert caller("job_view", job_id)["processed_files"] == 1


def retry_leaves_a_running_job(url: str) -> None:
    """Who asks for a retry too early disturbs nothing."""
    with Caller(url) as caller:
        job_id, token, file_id = _held(caller)
        failure = {"status": "failed", "error_code": "x"}
        caller("record_file", job_id, token, file_id, failure, 30.0)
        assert caller("retry_job", job_id)["processed_files"] == 1
        assert caller("finish_job", job_id, token) == "failed"


def retry_counts_anew(url: str) -> None:
    """The new chain has all the attempts that the job may have."""
    with Caller(url) as caller:
        job_id, token, _ = _held(caller, attempts=1)
        assert caller("release_job", job_id, token, True) == "failed"
        caller("retry_job", job_id)
        assert not caller("claim_job", job_id, "me", 30.0)["one_at_a_time"]


def a_job_that_never_starts_is_given_up(url: str) -> None:
    """After ten runs that ended before they claimed it."""
    with Caller(url) as caller:
        job_id = caller.submit(files=1)
        for dispatch in range(1, 11):
            assert caller("job_view", job_id)["status"] == "pending"
            assert caller("redispatch_job", job_id, dispatch)
        assert caller("job_view", job_id)["status"] == "failed"


def clients_take_turns(url: str) -> None:
    """Each client's first job before any client's second, jobs at work counting as turns."""
    with Caller(url) as caller:
        jobs = [str(caller.submit(files=1, client=client)) for client in "aaaabb"]
        order = [jobs[0], jobs[4], jobs[1], jobs[5], jobs[2]]
        claims = [caller("claim_job", None, f"{n}", 30.0)["job_id"] for n in range(len(order))]
        assert claims == order


def a_lost_answer_is_given_again(url: str) -> None:
    """Asked again under the same name: the same job and token, also while the first call runs."""
    with Caller(url) as caller:
        for _ in range(3):
            caller.submit(files=1)
        lease = caller("claim_job", None, "me", 30.0)
        assert caller("claim_job", None, "me", 30.0) == lease
        assert caller("claim_job", None, "you", 30.0)["token"] != lease["token"]
    with (
        psycopg.connect(url) as first,
        Caller(url, "set lock_timeout = '200ms'") as again,
    ):
        first.execute("select public.inbox_claim_job(null, 'third', 30)")
        try:
            answer = again("claim_job", None, "third", 30.0)
        except psycopg.errors.LockNotAvailable:
            return
        raise AssertionError(f"a second job for the same claim: {answer is not None}")


def a_lease_survives_no_clock(url: str) -> None:
    """Made two hours in the future, a lease lapses as long after the clock's return as usual."""
    with (
        Caller(url, AHEAD) as ahead,
        Caller(url) as back,
        Caller(url, MUCH_LATER) as later,
    ):
        silent, _, _ = _held(ahead)
        alive, token, file_id = _held(ahead)
        assert back("heartbeat", alive, token, 30.0) == "ok"
        ahead.submit(files=1)
        assert back("reap_jobs", 100) == 0
        assert later("reap_jobs", 100) == 2
        assert back("record_file", alive, token, file_id, DONE, 30.0) == "lost"
        assert later("job_view", silent)["status"] == "pending"


def a_file_may_end_before_it_began(url: str) -> None:
    """By a clock that was set back in between; its outcome is written all the same."""
    with Caller(url, AHEAD) as ahead, Caller(url) as back:
        job_id, token, file_id = _held(ahead)
        ahead("start_file", job_id, token, file_id, 30.0)
        assert back("record_file", job_id, token, file_id, DONE, 30.0) == "ok"
        assert back("finish_job", job_id, token) == "completed"


def a_pause_survives_no_clock(url: str) -> None:
    """A backoff that was set in the future ends as long after the clock's return as usual."""
    with (
        Caller(url, AHEAD) as ahead,
        Caller(url) as back,
        Caller(url, MUCH_LATER) as later,
    ):
        job_id, token, _ = _held(ahead)
        assert ahead("release_job", job_id, token, True) == "pending"
        assert later("claim_job", None, "early", 30.0) is None
        back("reap_jobs", 100)
        lease = later("claim_job", None, "me", 30.0)
        assert lease
        assert lease["job_id"] == str(job_id)


def a_beat_counts_from_now(url: str) -> None:
    """Also where the lease was made in the future and had little left when it was last written."""
    with (
        Caller(url, AHEAD) as ahead,
        Caller(url, FURTHER_AHEAD) as further,
        Caller(url) as back,
        Caller(url, LATER) as later,
    ):
        job_id, token, _ = _held(ahead)
        further("cancel_job", job_id)
        assert back("heartbeat", job_id, token, 30.0) == "cancel"
        assert later("heartbeat", job_id, token, 30.0) == "cancel"


def a_key_survives_no_clock(url: str) -> None:
    """A key that a dead receiver reserved in the future is soon free again."""
    with Caller(url, AHEAD) as ahead, Caller(url) as back:
        ahead("reserve_submission", "local", "key", uuid4(), 60.0)
        assert back("reserve_submission", "local", "key", uuid4(), 60.0)["state"] == "new"
        assert back("reserve_submission", "local", "key", uuid4(), 60.0)["state"] == "in_flight"


def _held(caller: Caller, attempts: int = 100) -> tuple[UUID, int, str]:
    """A job of one file that is being worked on: its id, its token, its file."""
    job_id = caller.submit(files=1, attempts=attempts)
    lease = caller("claim_job", job_id, "me", 30.0)
    return job_id, lease["token"], lease["files"][0]["id"]


SCENARIOS: dict[str, Callable[[str], None]] = {
    scenario.__name__: scenario
    for scenario in (
        a_job_is_written_by_its_holder,
        a_beat_only_extends,
        a_record_is_a_sign_of_life,
        cancel_is_told,
        retry_leaves_a_running_job,
        retry_counts_anew,
        a_job_that_never_starts_is_given_up,
        clients_take_turns,
        a_lost_answer_is_given_again,
        a_lease_survives_no_clock,
        a_file_may_end_before_it_began,
        a_pause_survives_no_clock,
        a_beat_counts_from_now,
        a_key_survives_no_clock,
    )
}
