"""Uploads on their way into the blob store.

At most a piece of one file is in memory at any time, and nothing is written but the blobs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from uuid import UUID

import anyio
from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from inbox.api.linger import mark_unread
from inbox.api.multipart import MultipartReader, Part, PartEnd, boundary_of
from inbox.blobs import Blobs, BlobWriter, blob_key
from inbox.classify import parse_labels
from inbox.errors import (
    FileTooLarge,
    InvalidLabels,
    InvalidRequest,
    JobTooLarge,
    NoFiles,
    TooManyFiles,
    UploadStalled,
)
from inbox.model import JobOptions, Label, Upload
from inbox.names import UNNAMED, display_name
from inbox.sealing import checked as checked_passwords
from inbox.settings import Settings

FILE_FIELDS = {"files", "file", "files[]"}
PIECE_BYTES = 1024 * 1024
FIELD_BYTES = 1024 * 1024
MAX_FIELDS = 32
HEADER_BYTES = 8 * 1024
IDLE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Submission:
    """What a request brought: files that are stored, labels and options that are valid."""

    uploads: tuple[Upload, ...]
    labels: tuple[Label, ...] | None
    options: JobOptions = field(default_factory=JobOptions)
    passwords: tuple[str, ...] = field(default=(), repr=False)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(upload.blob.size or 0 for upload in self.uploads)


async def receive(request: Request, blobs: Blobs, settings: Settings, job_id: UUID) -> Submission:
    """Store the files of a multipart request as they come in.

    Where this raises, blobs of this job may have been stored already: the caller removes them.

    Raises:
        NotMultipart: the body is something else.
        InvalidRequest: the body is malformed, or brings what is not expected.
        NoFiles, TooManyFiles, FileTooLarge, JobTooLarge, InvalidLabels: what they say.
        UploadStalled: no more of the body came for a minute.
        BlobsUnavailable, NoSpace: the blob store cannot take them.
        starlette.requests.ClientDisconnect: the client is gone.
    """
    mark_unread(request, unread=True)
    reader = MultipartReader(boundary_of(request.headers.get("content-type", "").encode("latin-1")))
    intake = _Intake(blobs, settings, job_id)
    try:
        async for piece in _pieces(request, settings):
            for event in reader.feed(piece):
                await intake.take(event)
        reader.close()
        return intake.result()
    finally:
        with anyio.CancelScope(shield=True):
            await intake.abandon()


async def _pieces(request: Request, settings: Settings) -> AsyncIterator[bytes]:
    overhead = (settings.max_files + MAX_FIELDS) * HEADER_BYTES + FIELD_BYTES
    limit = settings.max_job_bytes + overhead
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _job_too_large(settings)
    received, more = 0, True
    while more:
        piece, more = await _next_piece(request)
        mark_unread(request, unread=more)
        received += len(piece)
        if received > limit:
            raise _job_too_large(settings)
        yield piece


async def _next_piece(request: Request) -> tuple[bytes, bool]:
    try:
        with anyio.fail_after(IDLE_SECONDS):
            message = await request.receive()
    except TimeoutError:
        raise UploadStalled(f"no more of the body came for {IDLE_SECONDS} seconds") from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


class _Intake:
    """Takes the events of one request in order."""

    def __init__(self, blobs: Blobs, settings: Settings, job_id: UUID) -> None:
        self._blobs, self._settings, self._job_id = blobs, settings, job_id
        self._uploads: list[Upload] = []
        self._labels: tuple[Label, ...] | None = None
        self._passwords: list[str] = []
        self._options: JobOptions | None = None
        self._fields = 0
        self._job_bytes = 0
        self._part: Part | None = None
        self._value = bytearray()
        self._file: _File | None = None

    async def take(self, event: Part | bytes | PartEnd) -> None:
        """Take the next event."""
        if isinstance(event, Part):
            await self._begin(event)
        elif isinstance(event, PartEnd):
            await self._end()
        elif self._part is not None and _is_file(self._part):
            await self._add_to_file(event)
        else:
            self._value += event
            if len(self._value) > FIELD_BYTES:
                raise InvalidRequest(f"a plain field may have {FIELD_BYTES} bytes at most")

    def result(self) -> Submission:
        """What came in all."""
        if not self._uploads:
            raise NoFiles("the request brings no file; send at least one in the field `files`")
        passwords = checked_passwords(self._passwords)
        return Submission(
            tuple(self._uploads),
            self._labels,
            options=self._options or JobOptions(),
            passwords=passwords,
        )

    async def abandon(self) -> None:
        """Drop a file that is not whole."""
        if self._file is not None:
            await self._file.close()

    async def _begin(self, part: Part) -> None:
        self._part = part
        if not _is_file(part):
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise InvalidRequest(f"a request may have {MAX_FIELDS} plain fields at most")
        elif part.field not in FILE_FIELDS:
            raise InvalidRequest("a file stands in an unknown field; send files in `files`")
        elif part.filename:
            await self._open_file()

    async def _open_file(self) -> None:
        limit = self._settings.max_files
        if len(self._uploads) >= limit:
            raise TooManyFiles(f"a job may have {limit} files at most")
        self._file = _File(self._blobs, blob_key(self._job_id, len(self._uploads) + 1))
        await self._file.open()

    async def _add_to_file(self, data: bytes) -> None:
        if self._file is None:  # a nameless part is a file once it has a byte
            await self._open_file()
        assert self._file is not None  # noqa: S101
        self._job_bytes += len(data)
        if self._file.size + len(data) > self._settings.max_file_bytes:
            limit = self._settings.max_file_bytes
            raise FileTooLarge(
                f"file {len(self._uploads) + 1} is too large; "
                f"one file may have {limit} bytes at most",
                len(self._uploads) + 1,
            )
        if self._job_bytes > self._settings.max_job_bytes:
            raise _job_too_large(self._settings)
        await self._file.add(data)

    async def _end(self) -> None:
        part, self._part = self._part, None
        assert part is not None  # noqa: S101  (the parser opens a part before it ends it)
        if self._file is not None:
            upload = await self._file.commit(part.filename or UNNAMED)
            self._file = None
            self._uploads.append(upload)
        elif _is_file(part):
            self._count_empty()
        else:
            value = bytes(self._value)
            self._value.clear()
            self._take_field(part.field, value)

    def _count_empty(self) -> None:
        self._fields += 1  # an empty choice in a form; bounded like a plain field
        if self._fields > MAX_FIELDS:
            raise InvalidRequest(f"a request may have {MAX_FIELDS} plain fields at most")

    def _take_field(self, field: str, value: bytes) -> None:
        if field in FILE_FIELDS and value:
            raise InvalidRequest(
                f"the field `{field}` holds text where a file is expected; "
                f"with curl write -F '{field}=@path', with the @"
            )
        if field == "passwords":
            self._passwords += passwords_of(value)
        if field == "options":
            if self._options is not None:
                raise InvalidRequest("send the field `options` once, as a JSON object")
            self._options = options_of(value)
        if field != "labels":
            return
        if self._labels is not None:
            raise InvalidLabels("send the field `labels` once, as a JSON list")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidLabels("the labels are not UTF-8") from None
        self._labels = labels_of(text)


class _File:
    """One file on its way: collected into pieces, written off the event loop."""

    def __init__(self, blobs: Blobs, key: str) -> None:
        self._context: AbstractContextManager[BlobWriter] = blobs.create(key)
        self._writer: BlobWriter | None = None
        self._pending = bytearray()
        self.size = 0

    async def open(self) -> None:
        """Begin the blob."""
        self._writer = await run_in_threadpool(self._context.__enter__)

    async def add(self, data: bytes) -> None:
        """Take more bytes."""
        self.size += len(data)
        self._pending += data
        if len(self._pending) >= PIECE_BYTES:
            await self._flush()

    async def commit(self, filename: str) -> Upload:
        """Make the blob whole."""
        await self._flush()
        assert self._writer is not None  # noqa: S101
        blob = await run_in_threadpool(self._writer.commit)
        await self.close()
        return Upload(name=display_name(filename), blob=blob)

    async def close(self) -> None:
        """Leave the blob; one that is not whole vanishes."""
        if self._writer is not None:
            self._writer = None
            await run_in_threadpool(self._context.__exit__, None, None, None)

    async def _flush(self) -> None:
        assert self._writer is not None  # noqa: S101
        if self._pending:
            piece, self._pending = bytes(self._pending), bytearray()
            await run_in_threadpool(self._writer.write, piece)


def labels_of(text: str) -> tuple[Label, ...] | None:
    """The labels that a caller wrote; None where nothing is written.

    Raises:
        InvalidLabels: they cannot be used.
    """
    if not text.strip():
        return None
    labels: Sequence[Label] = parse_labels(text)
    return tuple(labels)


def passwords_of(value: bytes) -> list[str]:
    """What a form field holds: one password, or a JSON list of them.

    Raises:
        InvalidRequest: it is neither. The message does not repeat it.
    """
    try:
        text = value.decode("utf-8")
        found = json.loads(text) if text.startswith("[") else [text]
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InvalidRequest("the passwords are not a JSON list of texts")
    return [each for each in found if each]


def options_of(value: bytes) -> JobOptions:
    """The options that a caller wrote.

    Raises:
        InvalidRequest: they cannot be used, or one of them is not known.
    """
    known = JobOptions.model_fields
    if not value.strip():
        return JobOptions()
    try:
        written = json.loads(value)
    except (ValueError, RecursionError):
        raise InvalidRequest("the field `options` is not JSON") from None
    if not isinstance(written, dict) or not written.keys() <= known.keys():
        raise InvalidRequest(f"`options` is a JSON object with these names: {', '.join(known)}")
    try:
        return JobOptions.model_validate(written)
    except ValidationError as failure:
        wrong = sorted({str(each["loc"][0]) for each in failure.errors() if each["loc"]})
        raise InvalidRequest(
            f"`options` has values that cannot be used: {', '.join(wrong)}"
        ) from None


def _is_file(part: Part) -> bool:
    if part.filename is not None:
        return True
    return part.field in FILE_FIELDS and part.content_type not in {None, "text/plain"}


def _job_too_large(settings: Settings) -> JobTooLarge:
    limit = settings.max_job_bytes
    return JobTooLarge(f"the files of one job may have {limit} bytes at most in all")
