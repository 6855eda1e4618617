"""What the queue promises, asked of the rows after a fault."""

from __future__ import annotations

from collections import Counter

import psycopg
from queue_rows import TERMINAL, Rows, check_rows, read

from chaos.rig import Rig, repeats

# Each of these outcomes of an attempt may have cost a file its work so far.
LOSING = {"lapsed", "crashed", "released"}


def check(rig: Rig, *, transient: bool = False) -> None:
    """Write down what is broken, and the figures.

    Args:
        rig: what the fault was tried on.
        transient: whether a worker may try a file again within one attempt.
    """
    figures = rig.figures
    with psycopg.connect(rig.url) as connection:
        rows = read(connection)
    try:
        check_rows(rows, within_files=True)
    except AssertionError as failure:
        figures.broken.append(f"the rows contradict each other: {failure}"[:300])
    everything = [*rows.jobs.values(), *rows.files.values()]
    figures.broken += [f"one is {row.status}" for row in everything if row.status not in TERMINAL]
    for file in rows.files.values():
        if file.error_code == "crashed_worker_twice":
            rig.quarantined += 1
            if file.crash_count != 2:
                figures.broken.append("a file was given up without two crashes")
    if not transient:
        _check_repeats(rig, rows)
    if rig.inbox.get(rig.bystander) != rig.untouched:
        figures.broken.append("a job that had nothing to do with it was touched")
    figures.jobs, figures.files = len(rows.jobs), len(rows.files)
    figures.results = sum(file.status == "completed" for file in rows.files.values())
    figures.repeated, figures.refused = repeats(rig), figures.refused + len(rig.noted("refused"))


def _check_repeats(rig: Rig, rows: Rows) -> None:
    begun = Counter(line["file"] for line in rig.noted("begin"))
    for file in rows.files.values():
        lost = sum(outcome in LOSING for outcome in rows.attempts[file.job_id])
        if begun[str(file.id)] > 1 + lost:
            rig.figures.broken.append("a file was begun more often than leases were lost")


def expect_whole(rig: Rig) -> None:
    """Every file has its result: the fault was nobody's fault."""
    codes = Counter(code for (code,) in rig.query("select error_code from inbox_files") if code)
    allowed = codes.pop("crashed_worker_twice", 0)
    if allowed:
        rig.figures.notes.append(f"{allowed} files met two crashes")
    if codes:
        rig.figures.broken.append(f"files failed: {dict(codes)}")
