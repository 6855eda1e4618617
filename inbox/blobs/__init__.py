"""The submitted bytes, by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from uuid import UUID

from inbox.blobs.folder import FolderBlobs
from inbox.model import Blob
from inbox.settings import Settings

__all__ = ["BlobWriter", "Blobs", "blob_key", "open_blobs"]


class BlobWriter(Protocol):
    """Takes the bytes of one blob, piece by piece."""

    def write(self, piece: bytes) -> None:
        """Add a piece.

        Raises:
            NoSpace: the disk is full.
            BlobsUnavailable: the blob store does not answer.
        """
        ...

    def commit(self) -> Blob:
        """Make the blob whole and visible; until then it does not exist."""
        ...


class Blobs(Protocol):
    """A place for bytes. Keys are ASCII and chosen by us, never by a caller."""

    def create(self, key: str) -> AbstractContextManager[BlobWriter]:
        """Begin a blob; leaving the context without a commit leaves nothing behind."""
        ...

    def fetch(self, blob: Blob) -> AbstractContextManager[Path]:
        """The blob as a file that may be read inside the context.

        Raises:
            BlobMissing: there is nothing under this key.
            BlobCorrupt: the bytes are not those of `blob.sha256`.
            BlobsUnavailable: the blob store does not answer.
        """
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove these blobs; one that is not there is not an error."""
        ...

    def delete_job(self, job_id: UUID) -> None:
        """Remove every blob of a job; none is not an error."""
        ...

    def jobs(self, older_than: float) -> Iterator[UUID]:
        """The jobs that have blobs, the youngest of them older than so many seconds."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


def blob_key(job_id: UUID, number: int) -> str:
    """Where the bytes of a job's file are kept."""
    return f"{job_id}/{number}"


def open_blobs(settings: Settings) -> Blobs:
    """The blob store that the settings name.

    Raises:
        ConfigurationError: the settings name no usable Supabase project.
    """
    if settings.uses_supabase:
        from inbox.blobs.supabase import SupabaseBlobs
        from inbox.project import open_project

        return SupabaseBlobs(open_project(settings))
    return FolderBlobs(settings.blobs_folder)
