"""Files inside a file become files of its job: their bytes first, then their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from inbox.blobs import Blobs, blob_key
from inbox.errors import ContainerTooLarge, ReaderCrashed, TooManyEntries
from inbox.extract import Reader, Taken, Unpacking
from inbox.holding import Holding
from inbox.model import Blob, Child, File, Problem
from inbox.names import display_name
from inbox.settings import Settings
from inbox.store import Store

PIECE_BYTES = 1024 * 1024


class Unpacker:
    """Takes containers apart.

    A step that is repeated does the same again: the bytes go where they went before, and rows that
    are there already stay.
    """

    def __init__(self, settings: Settings, store: Store, blobs: Blobs, reader: Reader) -> None:
        self._settings, self._store, self._blobs, self._reader = settings, store, blobs, reader

    def limits(self, file: File) -> Unpacking:
        """How far this file may be taken apart."""
        return Unpacking(
            levels=self._settings.unpack_max_depth - file.depth,
            max_files=self._settings.unpack_max_files,
            max_bytes=self._settings.unpack_max_bytes,
            max_file_bytes=self._settings.max_file_bytes,
            max_ratio=self._settings.unpack_max_ratio,
        )

    def unpack(self, holding: Holding, file: File, path: Path, passwords: Sequence[str]) -> int:
        """Make everything inside the file at `path` files of the job; how many there are.

        Raises:
            TooManyEntries, ContainerTooLarge: there is more than the settings allow.
            PermanentError: it cannot be taken apart.
            TransientError: something was away; a later try may succeed.
            StopWork: the job was cancelled or lost.
        """
        limits = self.limits(file)
        abort = holding.stop
        with self._reader.unpack(path, limits, passwords=passwords, abort=abort) as (taken, output):
            children = [
                self._child(holding, file, number, one, output)
                for number, one in enumerate(taken, start=1)
            ]
        try:
            self._store.add_children(
                holding.lease,
                file,
                children,
                max_files=self._settings.unpack_max_files,
                max_bytes=self._settings.unpack_max_bytes,
            )
        except (TooManyEntries, ContainerTooLarge):
            self._blobs.delete([child.blob.key for child in children])
            raise
        return len(children)

    def _child(
        self, holding: Holding, file: File, number: int, taken: Taken, output: IO[bytes]
    ) -> Child:
        holding.check()
        name = display_name(taken.name)  # the child that read the container is not trusted
        key = f"{blob_key(holding.lease.job_id, file.number)}.{number}"
        if taken.code is not None:
            problem = Problem(code=taken.code, message=taken.message or "")
            return Child(name=name, blob=Blob(key=key), problem=problem)
        with self._blobs.create(key) as writer:
            for piece in _pieces(output, taken):
                writer.write(piece)
            blob = writer.commit()
        holding.progress()
        return Child(name=name, blob=blob)


def _pieces(output: IO[bytes], taken: Taken) -> Iterator[bytes]:
    output.seek(taken.start)
    left = taken.size
    while left > 0:
        piece = output.read(min(left, PIECE_BYTES))
        if not piece:
            raise ReaderCrashed("The reading process said more than it gave.")
        left -= len(piece)
        yield piece
