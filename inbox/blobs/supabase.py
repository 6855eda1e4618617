"""Blobs in the private bucket of a Supabase project."""

from __future__ import annotations

import contextlib
import errno
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote
from uuid import UUID

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from inbox.blobs.folder import FULL, KEY
from inbox.digests import Tally
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
from inbox.project import HTTP_PAUSED, KEY_HINT, PAUSED, Project, connect, open_http, why_away

BUCKET = "inbox"
JOBS = "jobs"  # what servers store; every other folder is a user's, named by the user's id
SILENCE_SECONDS = 60  # longest wait for Storage to take or give the next piece
TRIES = 3
PAGE = 1000
OPTIONS: dict[str, Any] = {"content-type": "application/octet-stream", "upsert": "true"}
NO_BUCKET = f"the Supabase project has no bucket `{BUCKET}`; run: inbox migrate"
BAD_KEY = "this key cannot be one of the blob store's"


class SupabaseBlobs:
    """Blobs in Supabase Storage; safe for several threads.

    Uploads and downloads pass through temporary files, in pieces; what an attempt left half done
    is done again, three times at most.

    Args:
        project: where, and with which key.
        connections: most connections to hold.
    """

    def __init__(self, project: Project, connections: int = 8) -> None:
        self._project = project
        self._http = open_http(connections, read_seconds=SILENCE_SECONDS)
        self._http.event_hooks = {"response": [_check]}
        self._bucket = connect(project, self._http).storage.from_(BUCKET)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @contextmanager
    def create(self, key: str) -> Iterator[SupabaseWriter]:
        """Begin a blob; see `inbox.blobs.Blobs`."""
        with _temporary() as file:
            yield SupabaseWriter(self, file, f"{JOBS}/{_checked(key)}")

    @contextmanager
    def fetch(self, blob: Blob) -> Iterator[Path]:
        """The blob as a file; see `inbox.blobs.Blobs`."""
        _checked(blob.key)
        with _temporary() as file:
            digest, size = self._again(self._download, blob.key, file)
            if blob.sha256 not in {None, digest} or blob.size not in {None, size}:
                raise BlobCorrupt("the stored bytes are not those that were submitted")
            yield Path(file.name)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove these blobs; one that is not there is not an error."""
        for first in range(0, len(keys), PAGE):
            self._again(self._bucket.remove, [_checked(key) for key in keys[first : first + PAGE]])

    def delete_job(self, job_id: UUID) -> None:
        """Remove every blob of a job; none is not an error."""
        folder = f"{JOBS}/{job_id}"
        while names := [entry["name"] for entry in self._page(folder, 0)]:
            self._again(self._bucket.remove, [f"{folder}/{name}" for name in names])

    def jobs(self, older_than: float) -> Iterator[UUID]:
        """The jobs that have blobs, save those that users uploaded; see `inbox.blobs.Blobs`."""
        youngest = datetime.now(UTC) - timedelta(seconds=older_than)
        for folder in [entry["name"] for entry in self._list(JOBS)]:
            stamps = [entry["created_at"] for entry in self._list(f"{JOBS}/{folder}")]
            with contextlib.suppress(ValueError):  # not a job's
                job_id = UUID(folder)
                if all(datetime.fromisoformat(stamp) < youngest for stamp in stamps if stamp):
                    yield job_id

    def signed_url(self, key: str, seconds: int) -> str:
        """An address under which anybody may read the blob for so long.

        Raises:
            BlobMissing: there is nothing under this key.
            BlobsUnavailable: Storage does not answer.
        """
        answer = self._again(self._bucket.create_signed_url, _checked(key), seconds)
        return str(answer["signedURL"])

    def upload(self, key: str, path: Path) -> None:
        """Store a file's bytes, in place of what an earlier try may have stored."""
        self._again(self._bucket.upload, key, path, OPTIONS)

    def _download(self, key: str, file: IO[bytes]) -> tuple[str, int]:
        file.seek(0)
        file.truncate()
        tally = Tally()
        url = f"{self._project.url}/storage/v1/object/{BUCKET}/{quote(key)}"
        bearer = f"Bearer {self._project.key}"
        headers = {"apikey": self._project.key, "authorization": bearer}
        with self._http.stream("GET", url, headers=headers) as answer:
            for piece in answer.iter_bytes():
                with _disk_errors():
                    file.write(piece)
                tally.add(piece)
        with _disk_errors():
            file.flush()
        return tally.sha256, tally.size

    def _list(self, folder: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while entries := self._page(folder, offset):
            yield from entries
            offset += len(entries)

    def _page(self, folder: str, offset: int) -> list[dict[str, Any]]:
        options = {"limit": PAGE, "offset": offset}
        found: list[dict[str, Any]] = self._again(self._bucket.list, folder, options)
        return found

    def _again(self, call: Any, *arguments: Any) -> Any:
        """Call; repeat while Storage is away, as every call may be carried out twice."""
        retrying = Retrying(
            retry=retry_if_exception_type(BlobsUnavailable),
            wait=wait_random_exponential(0.2, max=2),
            stop=stop_after_attempt(TRIES),
            reraise=True,
        )
        return retrying(self._once, call, *arguments)

    def _once(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except httpx.HTTPError as failure:
            raise BlobsUnavailable(why_away(self._project.url, failure)) from None


class SupabaseWriter:
    """Collects one blob in a temporary file and uploads it when it is whole."""

    def __init__(self, blobs: SupabaseBlobs, file: IO[bytes], key: str) -> None:
        self._blobs, self._file, self._key = blobs, file, key
        self._tally = Tally()

    def write(self, piece: bytes) -> None:
        """Add a piece; see `inbox.blobs.BlobWriter`."""
        with _disk_errors():
            self._file.write(piece)
        self._tally.add(piece)

    def commit(self) -> Blob:
        """Make the blob whole: upload it."""
        with _disk_errors():
            self._file.flush()
        self._blobs.upload(self._key, Path(self._file.name))
        return Blob(key=self._key, sha256=self._tally.sha256, size=self._tally.size)


def _checked(key: str) -> str:
    if not KEY.fullmatch(key):
        raise BlobMissing(BAD_KEY)
    return key


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    response.read()
    fields: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        parsed = json.loads(response.content)
        fields = parsed if isinstance(parsed, dict) else {}
    said = str(fields.get("statusCode") or "")
    status = int(said) if said.isdecimal() else response.status_code
    raise _failure(status, str(fields.get("error") or ""), str(fields.get("code") or ""))


def _failure(status: int, error: str, code: str) -> InboxError:
    """What to raise for an answer of Storage; the status is the one that its body tells."""
    by_status: dict[int, InboxError] = {
        400: BlobMissing(BAD_KEY) if code == "InvalidKey" else BlobsUnavailable("Storage says 400"),
        401: ConfigurationError(f"Storage does not accept the key: {KEY_HINT}"),
        403: ConfigurationError(f"Storage does not let this key in: {KEY_HINT}"),
        404: BlobMissing("the blob store has no bytes for this file"),
        413: FileTooLarge("a file is larger than the bucket or the project allows"),
        HTTP_PAUSED: BlobsUnavailable(PAUSED),
    }
    if code == "NoSuchBucket" or error == "Bucket not found":
        return ConfigurationError(NO_BUCKET)
    return by_status.get(status) or BlobsUnavailable(f"Storage answers with status {status}")


@contextmanager
def _temporary() -> Iterator[IO[bytes]]:
    with _disk_errors():
        file = tempfile.NamedTemporaryFile(prefix="inbox-blob-")  # noqa: SIM115 - closed below
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):  # a full disk fails here again
            file.close()


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        if failure.errno in FULL:
            raise NoSpace("the disk of the temporary folder is full") from None
        name = errno.errorcode.get(failure.errno or 0, "?")
        raise BlobsUnavailable(f"the temporary folder cannot be written: {name}") from None
