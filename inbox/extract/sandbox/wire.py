"""Messages between the worker and the zygote: a length, JSON, and file descriptors beside it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!I")
_STATUS = struct.Struct("!i")
MAX_DESCRIPTORS = 8


def send(channel: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message; the receiver gets its own copies of `descriptors`.

    Raises:
        OSError: the other side is gone.
    """
    body = json.dumps(message).encode()
    head = _LENGTH.pack(len(body))
    # The descriptors travel with the first byte, so the head is sent apart from the body.
    sent = (
        socket.send_fds(channel, [head], list(descriptors)) if descriptors else channel.send(head)
    )
    channel.sendall(head[sent:] + body)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Wait for one message; None once the other side is gone."""
    try:
        head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, MAX_DESCRIPTORS)
        head += _exactly(channel, _LENGTH.size - len(head)) if head else b""
        if len(head) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack(head)
        body = _exactly(channel, length)
    except OSError:
        return None
    return (json.loads(body), descriptors) if len(body) == length else None


def pack_status(code: int) -> bytes:
    """An exit code as bytes; negative for the signal that ended a process."""
    return _STATUS.pack(code)


def unpack_status(data: bytes) -> int | None:
    """The exit code in `data`; None where it is not whole."""
    return int(_STATUS.unpack(data)[0]) if len(data) == _STATUS.size else None


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = channel.recv(count - len(data))
        if not part:
            break
        data += part
    return bytes(data)
