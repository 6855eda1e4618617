"""Takes the network away from a process and all that it will start.

Two ways, each for where the other is not permitted: a network namespace of its own, in which there
is not even a loopback (unshare(2)), and a filter that refuses every new socket (seccomp(2)). Both
hold for good, also for programs that are started later.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path
from typing import NamedTuple

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2

# Classic BPF, as in linux/filter.h and linux/seccomp.h.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4


class _Machine(NamedTuple):
    """The kernel's name for an architecture, and the numbers of two of its system calls."""

    audit: int
    socket: int
    foreign: int  # from here on, numbers are those of another kind of program


_IO_URING_SETUP = 425  # it makes sockets as well; the same number everywhere
_MACHINES = {
    "x86_64": _Machine(0xC000003E, 41, 0x40000000),
    "aarch64": _Machine(0xC00000B7, 198, 0x40000000),
}


def leave(*, local: bool = False) -> tuple[str, ...]:
    """Leave the network; the process must have one thread.

    Args:
        local: whether sockets that lead to other programs of this machine must still work; then
            the filter is only for where there is no namespace.

    Returns:
        The ways that worked: "namespace", "filter", both or none.
    """
    if not sys.platform.startswith("linux"):
        return ()
    done = []
    if _leave_namespace():
        done.append("namespace")
    if not (local and done) and _refuse_sockets():
        done.append("filter")
    return tuple(done)


def _leave_namespace() -> bool:
    user, group = os.getuid(), os.getgid()
    with contextlib.suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None, use_errno=True).unshare
        if unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
            # Who one is stays the same; what a root may do outside is lost on the way.
            for name, said in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with contextlib.suppress(OSError):
                    Path(f"/proc/self/{name}").write_text(said)
            return True
        return bool(unshare(_CLONE_NEWNET) == 0)
    return False


def _refuse_sockets() -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.maxsize < 2**32:
        return False
    # (code, jump if true, jump if false, operand); the jumps count from the next line.
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 0, 5, machine.audit),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 3, 0, machine.foreign),
        (_EQUAL, 2, 0, machine.socket),
        (_EQUAL, 1, 0, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    filter_ = ctypes.create_string_buffer(
        struct.pack("@HP", len(program), ctypes.addressof(code)), struct.calcsize("@HP")
    )
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(
            prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(filter_), 0, 0) == 0
        )
    except (OSError, AttributeError):
        return False
