"""A multipart body as a stream of events; nothing of it is kept.

Between `Part` and `PartEnd` come the pieces of the part's bytes, as they arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from inbox.api.headers import main_value, parameters
from inbox.errors import InvalidRequest, NotMultipart

MAX_HEADERS = 16
MAX_HEADER_BYTES = 4096
MAX_BOUNDARY_BYTES = 200
TRANSFER_ENCODINGS = {"", "binary", "8bit", "7bit"}
MALFORMED = "the multipart body is malformed"


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a part.

    Attributes:
        field: name of the form field.
        filename: the name of the file as it was sent, never to be used as a path; None where
            the part has none.
        content_type: media type in lower case; None where the part has none.
    """

    field: str
    filename: str | None
    content_type: str | None


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The end of a part."""


Event: TypeAlias = Part | bytes | PartEnd


def boundary_of(content_type: bytes) -> bytes:
    """The boundary that a Content-Type header announces.

    Raises:
        NotMultipart: it is not that of a multipart form.
        InvalidRequest: it names no usable boundary.
    """
    if main_value(content_type) != "multipart/form-data":
        raise NotMultipart("send the files as multipart/form-data")
    boundary = parameters(content_type).get("boundary", "").encode("utf-8")
    if not 1 <= len(boundary) <= MAX_BOUNDARY_BYTES:
        raise InvalidRequest("the Content-Type header names no usable multipart boundary")
    return boundary


class MultipartReader:
    """Turns the bytes of a multipart body into events.

    Args:
        boundary: as the Content-Type header announces it.
    """

    def __init__(self, boundary: bytes) -> None:
        self._events: list[Event] = []
        self._headers: dict[str, bytes] = {}
        self._field = bytearray()
        self._value = bytearray()
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece of the body brings.

        Raises:
            InvalidRequest: this is no multipart body, or a part's headers are too long.
        """
        try:
            self._parser.write(piece)
        except FormParserError:
            raise InvalidRequest(MALFORMED) from None
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Say that the body is over.

        Raises:
            InvalidRequest: it broke off before its closing boundary.
        """
        if not self._ended:
            raise InvalidRequest("the multipart body breaks off before its closing boundary")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        name = self._field.decode("latin-1").lower()
        self._headers.setdefault(name, bytes(self._value))
        self._field.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        disposition = self._headers.get("content-disposition", b"")
        found = parameters(disposition)
        if main_value(disposition) != "form-data" or "name" not in found:
            raise InvalidRequest("a part of the multipart body does not say which field it is")
        if main_value(self._headers.get("content-transfer-encoding", b"")) not in (
            TRANSFER_ENCODINGS
        ):
            raise InvalidRequest("send the parts of the multipart body as they are, not encoded")
        content_type = self._headers.get("content-type")
        self._events.append(
            Part(
                field=found["name"],
                filename=found.get("filename"),
                content_type=None if content_type is None else main_value(content_type),
            )
        )

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _on_part_end(self) -> None:
        self._events.append(PartEnd())

    def _on_end(self) -> None:
        self._ended = True
