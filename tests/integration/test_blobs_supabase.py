"""What the blobs promise when they are in Supabase Storage, of which a stub stands here."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from local_gateway import Answer
from local_project import PUBLISHABLE_KEY, SECRET_KEY, LocalProject

from inbox.blobs import blob_key, open_blobs
from inbox.blobs.supabase import SupabaseBlobs
from inbox.errors import (
    BlobCorrupt,
    BlobMissing,
    BlobsUnavailable,
    ConfigurationError,
    FileTooLarge,
    InboxError,
    NoSpace,
)
from inbox.model import Blob
from inbox.project import KeyKind, Project, open_project


@pytest.fixture
def blobs(project: LocalProject) -> Iterator[SupabaseBlobs]:
    """The bucket of a project of this test's own."""
    opened = open_blobs(project.settings())
    assert isinstance(opened, SupabaseBlobs)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def store(blobs: SupabaseBlobs, content: bytes, key: str | None = None) -> Blob:
    """Store some bytes."""
    with blobs.create(key or blob_key(uuid4(), 1)) as writer:
        for start in range(0, len(content), 100_000):
            writer.write(content[start : start + 100_000])
        return writer.commit()


def test_bytes_come_back(blobs: SupabaseBlobs) -> None:
    """Of any size, with their hash; the file is gone after the context."""
    for content in (b"", b"%PDF-1.4\r\n\r\n--boundary\r\n", os.urandom(3_000_000)):
        blob = store(blobs, content)
        assert blob.sha256 == hashlib.sha256(content).hexdigest()
        assert blob.size == len(content)
        with blobs.fetch(blob) as path:
            assert path.read_bytes() == content
        assert not path.exists()


def test_a_blob_without_a_commit_does_not_exist(
    blobs: SupabaseBlobs, project: LocalProject
) -> None:
    """Nothing is uploaded before the blob is whole."""
    with blobs.create(blob_key(uuid4(), 1)) as writer:
        writer.write(b"half")
    assert project.storage.blobs == {}
    assert list(blobs.jobs(-60)) == []


def test_storing_again_replaces(blobs: SupabaseBlobs) -> None:
    """An upload whose answer was lost is simply done again."""
    key = blob_key(uuid4(), 1)
    store(blobs, b"first", key)
    blob = store(blobs, b"second", key)
    with blobs.fetch(blob) as path:
        assert path.read_bytes() == b"second"


def test_a_lost_answer_to_an_upload_is_no_error(
    blobs: SupabaseBlobs, project: LocalProject
) -> None:
    """The work was done; it is done again."""
    project.gateway.faults.drop_next = 2
    blob = store(blobs, b"content")
    assert project.gateway.dropped == 2
    with blobs.fetch(blob) as path:
        assert path.read_bytes() == b"content"


def test_a_jobs_blobs_are_deleted_and_no_others(blobs: SupabaseBlobs) -> None:
    """None at all is no error either."""
    gone, kept = uuid4(), uuid4()
    for job_id in (gone, kept):
        for number in (1, 2):
            store(blobs, b"x", blob_key(job_id, number))
    assert set(blobs.jobs(-60)) == {gone, kept}
    assert list(blobs.jobs(60)) == []
    blobs.delete_job(gone)
    blobs.delete_job(gone)
    assert list(blobs.jobs(-60)) == [kept]


def test_what_users_uploaded_is_no_jobs(blobs: SupabaseBlobs, project: LocalProject) -> None:
    """A sweep of forgotten jobs never sees a user's folder, although it is named by a uuid."""
    user = uuid4()
    with project.http(user) as browser:
        answer = browser.post(
            f"/storage/v1/object/inbox/{user}/a.txt", files={"file": ("a.txt", b"mine")}
        )
    assert answer.status_code == 200, answer.text
    assert list(blobs.jobs(-60)) == []
    blobs.delete_job(user)
    with blobs.fetch(Blob(key=f"{user}/a.txt")) as path:
        assert path.read_bytes() == b"mine"


def test_long_lists_come_in_pages(blobs: SupabaseBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """More blobs than one answer holds are all seen, and all deleted."""
    monkeypatch.setattr("inbox.blobs.supabase.PAGE", 3)
    jobs = {uuid4() for _ in range(4)}
    for job_id in jobs:
        store(blobs, b"x", blob_key(job_id, 1))
    job_id = next(iter(jobs))
    for number in range(2, 9):
        store(blobs, b"x", blob_key(job_id, number))
    assert set(blobs.jobs(-60)) == jobs
    blobs.delete_job(job_id)
    assert set(blobs.jobs(-60)) == jobs - {job_id}


def test_a_signed_url_opens_one_blob(blobs: SupabaseBlobs) -> None:
    """Without a key; another blob's name in it opens nothing."""
    mine, other = store(blobs, b"mine"), store(blobs, b"other")
    url = blobs.signed_url(mine.key, 60)
    assert httpx.get(url, trust_env=False).content == b"mine"
    moved = url.replace(mine.key, other.key)
    assert httpx.get(moved, trust_env=False).status_code == 400
    with pytest.raises(BlobMissing):
        blobs.signed_url(blob_key(uuid4(), 1), 60)


def test_what_is_not_there_is_missing(blobs: SupabaseBlobs) -> None:
    """Storage says so with a 400 whose body says 404."""
    with pytest.raises(BlobMissing), blobs.fetch(Blob(key="jobs/none/1")):
        pass


@pytest.mark.parametrize("key", ["../x", "a//b", "ä", "a b", "/a", "", "a/../b", "a?b", "%2e%2e/x"])
def test_no_key_leads_elsewhere(blobs: SupabaseBlobs, project: LocalProject, key: str) -> None:
    """Such a key is not even asked for."""
    with pytest.raises(BlobMissing), blobs.fetch(Blob(key=key)):
        pass
    with pytest.raises(BlobMissing), blobs.create(key):
        pass
    assert project.gateway.requests == 0


@pytest.mark.parametrize(
    "blob",
    [
        {"sha256": hashlib.sha256(b"other").hexdigest()},
        {"sha256": None, "size": 4},
    ],
)
def test_changed_bytes_are_noticed(blobs: SupabaseBlobs, blob: dict[str, object]) -> None:
    """By their hash, and where none was given, by their number."""
    stored = store(blobs, b"content")
    with pytest.raises(BlobCorrupt), blobs.fetch(stored.model_copy(update=blob)):
        pass


def test_a_download_that_breaks_off_is_begun_again(
    blobs: SupabaseBlobs, project: LocalProject
) -> None:
    """Twice; the pieces of the broken ones do not remain."""
    blob = store(blobs, b"content" * 1000)
    broken: list[int] = []

    def tamper(answer: Answer) -> Answer:
        if len(broken) < 2:
            broken.append(1)
            return Answer(200, answer.body[:100], answer.headers, announced=len(answer.body))
        return answer

    project.storage.tamper = tamper
    with blobs.fetch(blob) as path:
        assert path.read_bytes() == b"content" * 1000
    assert len(broken) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(500, b"", {}), BlobsUnavailable),
        (Answer(503, b"<html>", {"content-type": "text/html"}), BlobsUnavailable),
        (Answer.of(400, {"statusCode": "500", "error": "e", "message": "m"}), BlobsUnavailable),
        (Answer.of(400, {"statusCode": "429", "error": "e", "message": "m"}), BlobsUnavailable),
        (Answer(540, b"", {}), BlobsUnavailable),
        (Answer.of(400, {"statusCode": "403", "error": "Unauthorized"}), ConfigurationError),
        (Answer.of(401, {"message": "Invalid API key"}), ConfigurationError),
        (Answer.of(400, {"statusCode": "404", "error": "Bucket not found"}), ConfigurationError),
        (Answer.of(400, {"statusCode": "413", "code": "EntityTooLarge"}), FileTooLarge),
        (Answer(200, b"", {}, announced=10), BlobsUnavailable),
    ],
)
def test_every_answer_of_storage_has_its_error(
    blobs: SupabaseBlobs,
    project: LocalProject,
    answer: Answer,
    error: type[InboxError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the way in and on the way out, with no key in the message."""
    monkeypatch.setattr("inbox.blobs.supabase.TRIES", 1)
    blob = store(blobs, b"content")
    project.gateway.faults.answer = answer
    with pytest.raises(error) as caught, blobs.fetch(blob):
        pass
    assert SECRET_KEY not in str(caught.value)
    with pytest.raises(error):
        store(blobs, b"content")


def test_a_storage_that_is_away_is_unavailable(
    blobs: SupabaseBlobs, project: LocalProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three tries."""
    monkeypatch.setattr("inbox.blobs.supabase.wait_random_exponential", lambda *_, **__: None)
    blob = store(blobs, b"content")
    before = project.gateway.requests
    project.gateway.faults.away = True
    with pytest.raises(BlobsUnavailable), blobs.fetch(blob):
        pass
    assert project.gateway.requests == before + 3


def test_a_file_larger_than_the_bucket_takes_is_refused(
    blobs: SupabaseBlobs, project_url: str
) -> None:
    """Trying again would not help."""
    with psycopg.connect(project_url, autocommit=True) as connection:
        connection.execute("update storage.buckets set file_size_limit = 10")
    with pytest.raises(FileTooLarge):
        store(blobs, b"eleven bytes")


def test_a_missing_bucket_is_named(blobs: SupabaseBlobs, project_url: str) -> None:
    """The error says how to get it."""
    with psycopg.connect(project_url, autocommit=True) as connection:
        connection.execute("delete from storage.buckets")
    with pytest.raises(ConfigurationError, match="inbox migrate"):
        store(blobs, b"x")


def test_a_full_disk_is_named(blobs: SupabaseBlobs) -> None:
    """The temporary file of an upload is on a disk of this machine."""
    with blobs.create(blob_key(uuid4(), 1)) as writer:
        writer._file.close()
        with Path("/dev/full").open("wb", buffering=0) as full:
            writer._file = full
            with pytest.raises(NoSpace):
                writer.write(b"x")


def test_a_browser_key_is_not_let_in(project: LocalProject) -> None:
    """The bucket is private: without a user, nothing is stored."""
    anonymous = Project(url=project.url, key=PUBLISHABLE_KEY, kind=KeyKind.SECRET)
    blobs = SupabaseBlobs(anonymous)
    try:
        with pytest.raises(ConfigurationError):
            store(blobs, b"x")
    finally:
        blobs.close()


def test_the_project_is_the_settings(project: LocalProject) -> None:
    """The key goes where the settings say, and nowhere else."""
    assert open_project(project.settings()).url == project.url
