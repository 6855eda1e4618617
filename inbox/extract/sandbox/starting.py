"""Starts a zygote as a program of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

# What a Python program needs to start and to be measured; nothing that may hold a secret.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "SYSTEMROOT")
_PASSED_ON_PREFIXES = ("COVERAGE_", "PYTHON")


def environment() -> dict[str, str]:
    """This process's variables that a zygote is given."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }


def program(
    setup: dict[str, Any], environment: dict[str, str]
) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """A zygote that is a program of its own, and the socket to it.

    Args:
        setup: what it is told.
        environment: all its variables.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    module = "inbox.extract.sandbox.zygote"
    with theirs:
        told = json.dumps(setup | {"control": theirs.fileno()})
        # -P: the folder the worker runs in must not supply modules. -W: parsers warn about files.
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-W", "ignore", "-m", module, told],
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is the worker's to handle
        )
    return ours, process
