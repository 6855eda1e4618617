"""Clients of the HTTP API, for programs elsewhere: one that waits, one for asyncio.

    from inbox.client import Client

    with Client("http://127.0.0.1:8000") as inbox:
        job = inbox.submit("a.pdf", "b.docx")
        for file in inbox.wait(job.job_id).result.results:
            print(file.filename, file.label, file.confidence)

Requests are repeated, with growing pauses, where that may help; a submission carries an
Idempotency-Key, so that one that is repeated is still one job.
"""

from __future__ import annotations

from inbox.client.asynchronous import AsyncClient
from inbox.client.calls import ApiError, Source
from inbox.client.synchronous import Client

__all__ = ["ApiError", "AsyncClient", "Client", "Source"]
