"""Submissions that may be repeated: the `Idempotency-Key` request header.

The header is the one of the IETF draft "The Idempotency-Key HTTP Header Field". The same key and
the same files are the same job, however often they are sent; other files are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import Request

from inbox.api.uploads import Submission
from inbox.blobs import BlobWriter
from inbox.digests import Tally
from inbox.errors import InvalidRequest
from inbox.model import Blob

HEADER = "Idempotency-Key"
MAX_CHARACTERS = 255


def key_of(request: Request) -> str | None:
    """The request's key, if it has one.

    Raises:
        InvalidRequest: it cannot be one.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not key.isascii() or not key.isprintable() or not 0 < len(key) <= MAX_CHARACTERS:
        raise InvalidRequest(f"{HEADER} has 1 to {MAX_CHARACTERS} printable ASCII characters")
    return key


def digest_of(submission: Submission) -> str:
    """A SHA-256 over what was sent: names, contents, labels and options."""
    sent: dict[str, Any] = {
        "files": [[upload.name, upload.blob.sha256] for upload in submission.uploads],
        "labels": submission.labels and [label.model_dump() for label in submission.labels],
    }
    options = submission.options.model_dump(mode="json", exclude_none=True)
    if options:  # a request without any has the digest that it had before there were options
        sent["options"] = options
    return hashlib.sha256(json.dumps(sent).encode()).hexdigest()


class HashingBlobs:
    """Takes blobs and keeps nothing but their digests: to compare a repeated request."""

    def create(self, key: str) -> AbstractContextManager[BlobWriter]:
        """Begin a blob; see `inbox.blobs.Blobs`."""
        return _writer(key)

    def close(self) -> None:
        """Nothing is held open."""

    def fetch(self, blob: Blob) -> AbstractContextManager[Path]:
        """Nothing was kept."""
        raise NotImplementedError(blob.key)

    def delete(self, keys: Sequence[str]) -> None:
        """Nothing was kept."""

    def delete_job(self, job_id: UUID) -> None:
        """Nothing was kept."""

    def jobs(self, older_than: float) -> Iterator[UUID]:  # noqa: ARG002 - the protocol's
        """Nothing was kept."""
        return iter(())


class _Hash:
    def __init__(self, key: str) -> None:
        self._key = key
        self._tally = Tally()

    def write(self, piece: bytes) -> None:
        self._tally.add(piece)

    def commit(self) -> Blob:
        return Blob(key=self._key, sha256=self._tally.sha256, size=self._tally.size)


@contextmanager
def _writer(key: str) -> Iterator[BlobWriter]:
    yield _Hash(key)
