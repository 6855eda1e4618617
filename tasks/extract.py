"""First step of a file: bytes to text."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from inbox import Document, File, Lease
from tasks.hooks import file_failed
from tasks.runtime import inbox, worth_retrying


@task(
    task_run_name="extract-{file.number}",
    retries=3,
    retry_delay_seconds=[1, 4, 16],
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_retrying,
    cache_policy=NO_CACHE,
    persist_result=False,
    on_failure=[file_failed],
)
def extract(lease: Lease, file: File) -> Document:
    """Read a file; see `Inbox.extract`."""
    return inbox().extract(lease, file)
