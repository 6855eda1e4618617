"""What a child may use, set on itself before it sees the file."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38


class Limits(BaseModel):
    """Bounds of one call.

    Attributes:
        memory_bytes: address space on top of what the zygote itself occupies.
        cpu_seconds: processor time.
        file_bytes: largest file that may be written.
        processes: whether the child may start processes and threads of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int = 256 * 1024 * 1024
    processes: bool = False


def _load_prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None
    return function


_PRCTL = _load_prctl()


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` ends; where there is no prctl, do nothing."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the request reached the kernel
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of what dead children leave, so that none lingers as a zombie."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def apply(limits: Limits) -> None:
    """Set the limits on this process; a limit the system does not know is left out."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Soft below hard: the soft CPU limit ends the process with SIGXCPU, which tells why it ended.
    _set(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 5)
    _set(resource.RLIMIT_AS, address_space() + limits.memory_bytes)
    _set(resource.RLIMIT_FSIZE, limits.file_bytes)
    _set(resource.RLIMIT_CORE, 0)
    if not limits.processes:
        # Zero does not depend on what else the same user runs; root is exempt.
        _set(resource.RLIMIT_NPROC, 0)


def address_space() -> int:
    """Bytes of address space in use; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", "rb") as statm:  # noqa: PTH123
        return int(statm.read().split()[0]) * resource.getpagesize()
    return 0


def _set(which: int, soft: int, hard: int | None = None) -> None:
    with contextlib.suppress(OSError, ValueError):
        ceiling = resource.getrlimit(which)[1]
        wanted = soft if hard is None else hard
        if ceiling != resource.RLIM_INFINITY:
            wanted, soft = min(wanted, ceiling), min(soft, ceiling)
        resource.setrlimit(which, (soft, wanted))
