"""Faults put into the SQL on purpose, and the test that has to notice each.

Run as a program it prints the table: python tests/support/queue_mutants.py
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
from inner_scenarios import SCENARIOS as INNER
from queue_model import explore
from queue_races import RACES
from queue_scenarios import SCENARIOS

from inbox.embedded import EmbeddedPostgres
from inbox.store import migrate


class Mutant(NamedTuple):
    """One fault: in `function`, `old` (a regular expression) is replaced by `new`."""

    name: str
    function: str
    old: str
    new: str
    caught_by: str = "model"


TOKEN = r" and lease_token = p_token"
EXPIRY = r"\s+and lease_expires_at > inbox_private\.clock\(\)"
MUTANTS = (
    Mutant("no fence: any token will do", "inbox_private.hold", TOKEN, ""),
    Mutant("no row lock", "inbox_private.hold", " for update", "", "late_writers"),
    Mutant("an expired lease still counts", "inbox_private.hold", EXPIRY, ""),
    Mutant("a lease ends a moment late", "inbox_private.hold", "lease_expires_at >", r"\g<0>="),
    Mutant("tokens are used again", "public.inbox_claim_job", r"nextval\([^)]*\)", "1"),
    Mutant("a running job is claimed", "public.inbox_claim_job", "status = 'pending' and ", ""),
    Mutant("the next is claimed without a lock", "public.inbox_claim_job",
           "for update skip locked", "", "nobody_waits"),
    Mutant("claimers stand in line", "public.inbox_claim_job", " skip locked", "", "nobody_waits"),
    Mutant("anybody is given the owner's lease", "public.inbox_claim_job",
           " and lease_owner = p_owner", ""),
    Mutant("backoff is not kept", "inbox_private.next_jobs",
           r"and p\.available_at <= inbox_private\.clock\(\)", ""),
    Mutant("no turns between clients", "inbox_private.next_jobs",
           r"order by t\.turn,", "order by", "clients_take_turns"),
    Mutant("jobs at work do not count as turns", "inbox_private.next_jobs",
           r"\+ w\.working", "", "clients_take_turns"),
    Mutant("finished files are handed out again", "inbox_private.open_files",
           r"and f\.finished_at is null", ""),
    Mutant("a later outcome replaces the first", "public.inbox_record_file",
           r" and f\.finished_at is null", ""),
    Mutant("a file of another job is written", "public.inbox_record_file",
           r" and f\.job_id = p_job_id", "", "a_job_is_written_by_its_holder"),
    Mutant("a repeated outcome is counted again", "public.inbox_record_file",
           "if found", "if true"),
    Mutant("a record is no sign of life", "public.inbox_record_file",
           r"inbox_private\.extend\(p_job_id, p_lease_seconds\)", "'ok'",
           "a_record_is_a_sign_of_life"),
    Mutant("cancel is not told", "inbox_private.extend",
           "else 'cancel'", "else 'ok'", "cancel_is_told"),
    Mutant("a sign of life shortens a lease", "inbox_private.extend",
           r"greatest\(lease_expires_at -[^,]*, interval '0'\),", "(", "a_beat_only_extends"),
    Mutant("a job is closed with open files", "public.inbox_finish_job",
           r"finished_at is null", "false"),
    Mutant("finish does not say the same again", "public.inbox_finish_job",
           r"coalesce\(v_outcome, 'lost'\)", "'lost'"),
    Mutant("a lost answer costs a second job", "public.inbox_claim_job",
           r"if found then return inbox_private.lease\(j\); end if;", "",
           "a_lost_answer_is_given_again"),
    Mutant("a claim is asked for twice at once", "public.inbox_claim_job",
           r"perform pg_advisory_xact_lock[^;]*;", "", "a_lost_answer_is_given_again"),
    Mutant("a lease made in the future stays", "inbox_private.keep_time",
           "new.lease_expires_at := ", "v_back := v_back; -- ", "a_lease_survives_no_clock"),
    Mutant("a pause made in the future stays", "inbox_private.keep_time",
           "new.available_at := ", "v_back := v_back; -- ", "a_pause_survives_no_clock"),
    Mutant("a beat keeps a lease made in the future", "inbox_private.extend",
           r"- greatest\(updated_at - inbox_private\.clock\(\), interval '0'\)", "",
           "a_beat_counts_from_now"),
    Mutant("a file that ends before it began", "inbox_private.no_negative_time",
           ":= 0", ":= -1", "a_file_may_end_before_it_began"),
    Mutant("a key reserved in the future stays", "public.inbox_reserve_submission",
           r"or old\.reserved_until > [^\n]*", "", "a_key_survives_no_clock"),
    Mutant("live jobs are reaped", "public.inbox_reap_jobs",
           r" and lease_expires_at <= inbox_private\.clock\(\)", ""),
    Mutant("reapers stand in line", "public.inbox_reap_jobs",
           r"for update skip locked loop(?=\s+perform inbox_private.end)",
           "for update loop", "nobody_waits"),
    Mutant("reaping is not charged", "public.inbox_reap_jobs", "'lapsed', true", "'lapsed', false"),
    Mutant("reaping blames no file", "public.inbox_reap_jobs",
           "'lapsed', true, true", "'lapsed', true, false"),
    Mutant("a graceful release is charged", "public.inbox_release_job",
           "p_charged or p_crashed, p_crashed", "true, p_crashed"),
    Mutant("a poisonous file is tried for ever", "inbox_private.end_attempt",
           "crash_count >= 1", "false"),
    Mutant("attempts are not bounded", "inbox_private.end_attempt",
           r"j\.charged_attempts >= j\.max_attempts", "false"),
    Mutant("a cancelled job is handed back", "inbox_private.end_attempt",
           r"j\.cancel_requested_at is not null", "false"),
    Mutant("a waiting job is not cancelled", "public.inbox_cancel_job",
           r"if j\.status = 'pending'", "if false"),
    Mutant("retry forgets the cancel", "public.inbox_retry_job", "cancel_requested_at = null,", ""),
    Mutant("retry keeps the old charges", "public.inbox_retry_job", "charged_attempts = 0,", "",
           "retry_counts_anew"),
    Mutant("retry takes a running job", "public.inbox_retry_job",
           r"j\.finished_at is not null", "true", "retry_leaves_a_running_job"),
    Mutant("a running job is forgotten", "public.inbox_delete_job",
           r" or j\.finished_at is null", ""),
    Mutant("a late run is dispatched again", "public.inbox_redispatch_job",
           " and dispatch = p_dispatch", ""),
    Mutant("a job that never starts is started for ever", "public.inbox_redispatch_job",
           "v_lost >= 10", "false", "a_job_that_never_starts_is_given_up"),
    *(Mutant(f"no fence for {name}", f"public.inbox_{name}",
             r"not inbox_private\.hold\(p_job_id, p_token\)", "false", "a_lost_worker_adds_nothing")
      for name in ("add_children", "progress", "keep_pages", "open_files")),
    Mutant("children are added again", "public.inbox_add_children",
           r"and not exists \(select from public\.inbox_files where parent_id = p_file_id\)", "",
           "children_are_added_once"),
    Mutant("a finished container brings more", "public.inbox_add_children",
           r"v_parent\.finished_at is null and", "", "children_are_added_once"),
    Mutant("files inside are not bounded", "public.inbox_add_children",
           "> p_max_files", "> 9999", "containers_share_a_room"),
    Mutant("bytes inside are not bounded", "public.inbox_add_children",
           "> p_max_bytes", "> 9999", "containers_share_a_room"),
    Mutant("what was not taken out is not counted", "public.inbox_add_children",
           r"processed_files \+ v_failed", "processed_files", "what_was_not_taken_out_is_over"),
    Mutant("pages that are done fall", "public.inbox_progress",
           r"greatest\(coalesce\(pages_done, 0\), least\(p_done, p_total\)\)",
           "p_done - 1", "progress_within_a_file_only_grows"),
    Mutant("a job is complete before its file", "public.inbox_progress",
           r"least\(99,", "least(100,", "progress_within_a_file_only_grows"),
    Mutant("pages are kept under any digest", "public.inbox_keep_pages",
           r"coalesce\(f\.sha256, p_sha256\) is distinct from p_sha256", "false",
           "pages_are_kept_for_their_content"),
    Mutant("pages go with the first job", "inbox_private.forget_pages",
           r"o\.job_id <> old\.id", "false", "pages_go_with_the_last_job"),
    Mutant("pages stay behind", "inbox_private.forget_pages",
           r"f\.job_id = old\.id", "false", "pages_go_with_the_last_job"),
    Mutant("secrets outlive their job", "inbox_private.forget_secrets",
           "new.sealed := null", "null", "secrets_end_with_the_job"),
)  # fmt: skip
EXAMPLES, STEPS = 150, 30


CATCHERS: dict[str, Callable[[str], object]] = {
    "model": lambda url: explore(url, EXAMPLES, STEPS, shrink=False),
    **SCENARIOS,
    **INNER,
    **RACES,
}


def mutate(url: str, mutant: Mutant) -> None:
    """Put the fault into the database.

    Raises:
        AssertionError: the text to replace is not there exactly as meant.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "select pg_get_functiondef(oid) from pg_proc where pronamespace::regnamespace::text"
            " || '.' || proname = %s",
            (mutant.function,),
        ).fetchone()
        assert row is not None, mutant.function
        text, count = re.subn(mutant.old, mutant.new, row[0], flags=re.MULTILINE)
        assert count >= 1, f"{mutant.name}: nothing to replace in {mutant.function}"
        connection.execute(text.encode())


def verdict(url: str, catcher: str) -> str:
    """How the catcher ends on this database: the first line of its complaint, "" where none."""
    try:
        CATCHERS[catcher](url)
    except (AssertionError, psycopg.Error, ExceptionGroup) as complaint:
        return (str(complaint).strip().splitlines() or [type(complaint).__name__])[0]
    return ""


def main() -> None:
    """Print which test caught which mutant; exit code 1 where one lives."""
    alive = 0
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as server:
        server.ensure_database("sound")
        migrate(server.url("sound"))
        for number, mutant in enumerate(MUTANTS):
            name = f"mutant_{number}"
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(f"create database {name} template sound".encode())
            mutate(server.url(name), mutant)
            began = time.monotonic()
            found = verdict(server.url(name), mutant.caught_by)
            alive += not found
            seconds = time.monotonic() - began
            caught = mutant.caught_by if found else "NOTHING"
            print(f"{mutant.name:45} {caught:36} {seconds:5.1f} s", flush=True)  # noqa: T201
    raise SystemExit(alive > 0)


if __name__ == "__main__":
    main()
