"""Files inside other files, taken out in the child, within limits.

What is inside never becomes a path: the bytes of all go into one file without a name, one behind
the other, and their names are only words. To take another kind apart, write a module with
`entries` and `count`, and name it in `CONTAINERS`.
"""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from inbox.errors import ContainerTooLarge, CorruptFile, InboxError, TooManyEntries
from inbox.extract import archive, sniff
from inbox.extract.options import Options, Unpacking
from inbox.names import display_name

CONTAINERS: dict[str, str] = {
    archive.ZIP: "inbox.extract.containers.zips",
    sniff.EML: "inbox.extract.containers.mails",
    sniff.MSG: "inbox.extract.containers.messages",
    sniff.PDF: "inbox.extract.containers.portfolio",
}
PIECE_BYTES = 1024 * 1024


class Entry(NamedTuple):
    """A file inside another.

    Attributes:
        name: what it is called there, unchecked.
        pieces: gives its bytes, piece by piece, or raises an InboxError that says why not.
    """

    name: str
    pieces: Callable[[], Iterable[bytes]]


class Taken(BaseModel):
    """A file that was taken out, or why it was not.

    Attributes:
        name: what to show.
        start: where its bytes begin in the output.
        size: how many there are.
        code: what went wrong with it; there are no bytes then.
        message: a sentence on that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    start: int
    size: int
    code: str | None = None
    message: str | None = None


def count(kind: str, data: bytes, options: Options) -> int:
    """How many files are inside.

    Raises:
        InboxError: it does not open.
    """
    found: int = importlib.import_module(CONTAINERS[kind]).count(data, options)
    return found


def unpack(data: bytes, options: Options, limits: Unpacking, output: int) -> list[dict[str, Any]]:
    """Write everything inside a file to a descriptor; what was taken out, as JSON values.

    Raises:
        TooManyEntries: there are more than the limits allow.
        ContainerTooLarge: they have more bytes in all.
        InboxError: it does not open, or is hostile.
    """
    module = importlib.import_module(CONTAINERS[sniff.media_type(data)])
    with os.fdopen(output, "wb") as file:
        file.seek(0)  # an earlier child may have died over it
        file.truncate()
        sink = _Sink(file, limits)
        return [
            sink.put(entry).model_dump() for entry in bounded(module.entries(data, options), limits)
        ]


def bounded(entries: Iterable[Entry], limits: Unpacking) -> Iterator[Entry]:
    """The entries, as long as there are not too many.

    Raises:
        TooManyEntries: there is one more.
    """
    for number, entry in enumerate(entries, start=1):
        check_count(number, limits)
        yield entry


def check_count(number: int, limits: Unpacking) -> None:
    """Whether so many are allowed.

    Raises:
        TooManyEntries: they are not.
    """
    if number > limits.max_files:
        raise TooManyEntries(f"A container may hold {limits.max_files} files at most.")


def too_large(limits: Unpacking) -> ContainerTooLarge:
    """What to raise where there are more bytes inside than allowed."""
    return ContainerTooLarge(f"A container may hold {limits.max_bytes} bytes at most.")


class _Sink:
    """Writes entries one behind the other."""

    def __init__(self, file: io.BufferedWriter, limits: Unpacking) -> None:
        self._file, self._limits = file, limits
        self._end = 0

    def put(self, entry: Entry) -> Taken:
        """Write one entry; where that fails, nothing of it is left."""
        name = display_name(entry.name)
        try:
            size = self._copy(entry)
        except (ContainerTooLarge, MemoryError):
            raise
        except InboxError as error:
            return self._failed(name, error)
        except Exception:  # noqa: BLE001 - whatever a library meets in a damaged container
            return self._failed(name, CorruptFile("This part of its container is damaged."))
        taken = Taken(name=name, start=self._end, size=size)
        self._end += size
        return taken

    def _copy(self, entry: Entry) -> int:
        size = 0
        for piece in entry.pieces():
            size += len(piece)
            if size > self._limits.max_file_bytes:
                raise _FileTooLargeError(
                    f"The file has more than the {self._limits.max_file_bytes} bytes that are "
                    "allowed."
                )
            if self._end + size > self._limits.max_bytes:
                raise too_large(self._limits)
            self._file.write(piece)
        return size

    def _failed(self, name: str, error: InboxError) -> Taken:
        self._file.seek(self._end)
        self._file.truncate()
        return Taken(name=name, start=self._end, size=0, code=error.code, message=str(error))


class _FileTooLargeError(InboxError):
    code = "file_too_large"
