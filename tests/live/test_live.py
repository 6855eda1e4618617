"""The real thing: a hosted or CLI-started Supabase project, named by SUPABASE_URL and its key.

Off by default: `make test-live`. It leaves nothing behind in the project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from inbox.blobs import blob_key
from inbox.errors import BlobMissing, JobNotFound
from inbox.model import FileStatus, JobStatus, Upload
from inbox.service import Inbox
from inbox.settings import Settings

pytestmark = pytest.mark.live
LETTER = b"Dear Ms Lovelace,\nthank you for your letter.\nYours sincerely,\nC. B.\n"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """The project of the environment."""
    settings = Settings(data_dir=tmp_path, database_url=None, classifier="lexicon")
    assert settings.uses_supabase, "set SUPABASE_URL and SUPABASE_SECRET_KEY"
    with Inbox(settings) as opened:
        yield opened


@pytest.fixture
def job_id(inbox: Inbox) -> Iterator[UUID]:
    """A job of one letter, which is forgotten afterwards."""
    job_id = uuid4()
    with inbox.blobs.create(blob_key(job_id, 1)) as writer:
        writer.write(LETTER)
        upload = Upload(name="letter.txt", blob=writer.commit())
    inbox.submit(job_id, [upload], client_id=f"live-{job_id}")
    yield job_id
    try:
        inbox.cancel(job_id)
        inbox.delete(job_id)
    except JobNotFound:
        return


def test_a_job_goes_through_the_project(inbox: Inbox, job_id: UUID) -> None:
    """Claimed by its id, read from Storage, classified, written, closed."""
    lease = inbox.claim(job_id)
    assert lease is not None
    with inbox.hold(lease):
        for file in lease.files:
            inbox.classify(lease, file, inbox.extract(lease, file))
        assert inbox.finish(lease) == JobStatus.COMPLETED
    result = inbox.get(job_id).result
    assert result is not None
    assert (result.results[0].status, result.results[0].label) == (FileStatus.COMPLETED, "letter")


def test_bytes_come_back_and_go(inbox: Inbox, job_id: UUID) -> None:
    """The same bytes, by key and by signed URL; once deleted, nobody finds them."""
    lease = inbox.claim(job_id)
    assert lease is not None
    blob = lease.files[0].blob
    with inbox.blobs.fetch(blob) as path:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == blob.sha256
    url = inbox.blobs.signed_url(blob.key, 60)  # type: ignore[attr-defined]
    assert httpx.get(url, timeout=30).content == LETTER
    inbox.release(lease)
    inbox.cancel(job_id)
    inbox.delete(job_id)
    with pytest.raises(BlobMissing), inbox.blobs.fetch(blob):
        pass
