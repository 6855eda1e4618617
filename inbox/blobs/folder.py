"""Blobs in a folder."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import UUID

from inbox import failpoints
from inbox.digests import Tally, sha256_of
from inbox.errors import BlobCorrupt, BlobMissing, BlobsUnavailable, InboxError, NoSpace
from inbox.model import Blob

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
FULL = {errno.ENOSPC, errno.EDQUOT}


class FolderBlobs:
    """Blobs as files under a folder, made when first needed and closed to other users."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def create(self, key: str) -> Iterator[FolderWriter]:
        """Begin a blob; see `inbox.blobs.Blobs`."""
        target = self._path(key)
        with _disk_errors():
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        part = Path(name)
        file = os.fdopen(handle, "wb")
        try:
            yield FolderWriter(file, part, target, key)
        finally:
            with suppress(OSError):  # a full disk fails here again; `commit` has flushed
                file.close()
            part.unlink(missing_ok=True)

    @contextmanager
    def fetch(self, blob: Blob) -> Iterator[Path]:
        """The blob as a file; see `inbox.blobs.Blobs`."""
        path = self._path(blob.key)
        try:
            if blob.sha256 is not None and sha256_of(path) != blob.sha256:
                raise BlobCorrupt("the stored bytes are not those that were submitted")
            if not path.is_file():
                raise BlobMissing("the blob store has no bytes for this file")
        except FileNotFoundError:
            raise BlobMissing("the blob store has no bytes for this file") from None
        except OSError as failure:
            raise BlobsUnavailable(f"the blob folder cannot be read: {failure.strerror}") from None
        yield path

    def delete(self, keys: Sequence[str]) -> None:
        """Remove these blobs; one that is not there is not an error."""
        for path in map(self._path, keys):
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty, or gone
                path.parent.rmdir()

    def delete_job(self, job_id: UUID) -> None:
        """Remove every blob of a job; none is not an error."""
        shutil.rmtree(self._root / str(job_id), ignore_errors=True)

    def jobs(self, older_than: float) -> Iterator[UUID]:
        """The jobs that have blobs; see `inbox.blobs.Blobs`."""
        youngest = time.time() - older_than
        for folder in self._root.glob("*"):
            with suppress(ValueError, FileNotFoundError):  # not a job's, or gone by now
                job_id = UUID(folder.name)
                if max(path.stat().st_mtime for path in [folder, *folder.iterdir()]) < youngest:
                    yield job_id

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise BlobMissing("this key cannot be one of the blob store's")
        return self._root / key


class FolderWriter:
    """Writes one blob beside its place and moves it there when it is whole."""

    def __init__(self, file: IO[bytes], part: Path, target: Path, key: str) -> None:
        self._file, self._part, self._target, self._key = file, part, target, key
        self._tally = Tally()

    def write(self, piece: bytes) -> None:
        """Add a piece; see `inbox.blobs.BlobWriter`."""
        with _disk_errors():
            self._file.write(piece)
        self._tally.add(piece)

    def commit(self) -> Blob:
        """Make the blob whole: flushed to the disk, then renamed."""
        with _disk_errors():
            self._file.flush()
            os.fsync(self._file.fileno())
            failpoints.hit("blobs.commit.before")
            self._part.replace(self._target)
            _sync_folder(self._target.parent)
        failpoints.hit("blobs.commit.after")
        return Blob(key=self._key, sha256=self._tally.sha256, size=self._tally.size)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise _disk_error(failure) from None


def _disk_error(failure: OSError) -> InboxError:
    if failure.errno in FULL:
        return NoSpace("the disk of the blob folder is full")
    return BlobsUnavailable(f"the blob folder cannot be written: {failure.strerror}")


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
