"""What a worker and its warm process say to each other.

Messages are JSON objects over a Unix socket that keeps their borders. What a run needs to know
travels beside its message in an anonymous file, so that neither its size nor its secrets matter.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from dataclasses import asdict, dataclass
from typing import Any, Literal

MESSAGE_BYTES = 65536
MOST_FDS = 4
ALIVE = b"a"  # from the child: it leads its session and may be signalled
GO = b"g"  # from the worker: run; what it says after that are lines of JSON, see `given.use`
EXIT_CODE = struct.Struct("!i")  # from the child, as its last word


@dataclass(frozen=True)
class Job:
    """What a forked child is to do.

    Attributes:
        kind: `run` a flow, or run its `hook`s.
        environment: the child's whole environment.
        directory: where the child starts.
        manifest: file that tells the hooks where the flow is; written by `run`, read by `hook`.
        arguments: `run`: what it is given, as JSON; `hook`: which hooks, and the files with the
            flow run and the state.
    """

    kind: Literal["run", "hook"]
    environment: dict[str, str]
    directory: str
    manifest: str
    arguments: list[str]


def write_job(job: Job) -> int:
    """The job in an anonymous file; returns its descriptor."""
    fd = os.memfd_create("prefork-job")
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(json.dumps(asdict(job)).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def read_job(fd: int) -> Job:
    """The job from an anonymous file, which is closed."""
    with os.fdopen(fd, "rb") as file:
        return Job(**json.loads(file.read()))


def send(channel: socket.socket, message: dict[str, Any], *fds: int) -> None:
    """Send a message and copies of descriptors.

    Raises:
        OSError: nobody is there.
    """
    socket.send_fds(channel, [json.dumps(message).encode()], list(fds))


def receive(channel: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message, None at the end, and the descriptors that came with it.

    Raises:
        BlockingIOError: there is none yet, on a socket that does not block.
    """
    try:
        data, fds, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, MOST_FDS)
    except ConnectionError:
        return None, []
    return (json.loads(data) if data else None), list(fds)
