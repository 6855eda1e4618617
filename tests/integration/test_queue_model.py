"""The queue against a plain model of it: whatever is done, in whatever order."""

from __future__ import annotations

import os

from queue_model import explore

# More of them than a normal run has time for: INBOX_TEST_EXAMPLES=5000 pytest …/test_queue_model.py
EXAMPLES = int(os.environ.get("INBOX_TEST_EXAMPLES", "60"))


def test_the_queue_and_its_model_agree(database_url: str) -> None:
    """No stale lease writes, no outcome is written twice, every job comes to its end."""
    seen = explore(database_url, EXAMPLES, steps=40)
    assert seen["stale"] > EXAMPLES / 5
    assert all(seen.get(f"inbox_{verb}", 0) > EXAMPLES / 10 for verb in VERBS), seen


VERBS = (
    "submit_job",
    "claim_job",
    "heartbeat",
    "start_file",
    "record_file",
    "finish_job",
    "release_job",
    "reap_jobs",
    "cancel_job",
    "retry_job",
    "delete_job",
    "redispatch_job",
)
