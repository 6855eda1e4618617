"""Second step of a file: text to label, written as the file's result."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from inbox import Classification, Document, File, Lease
from tasks.hooks import file_failed
from tasks.runtime import inbox, worth_retrying


@task(
    task_run_name="classify-{file.number}",
    retries=3,
    retry_delay_seconds=[1, 4, 16],
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_retrying,
    cache_policy=NO_CACHE,
    persist_result=False,
    on_failure=[file_failed],
)
def classify(lease: Lease, file: File, document: Document) -> Classification:
    """Label a document; see `Inbox.classify`."""
    return inbox().classify(lease, file, document)
