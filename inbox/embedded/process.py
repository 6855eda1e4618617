"""Starts programs as the right account, tied to the life of this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LAUNCH = Path(__file__).with_name("launch.py")
NOBODY = 65534
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class Account:
    """Who a program runs as; None stays with the account of this process."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_folder(cls, folder: Path) -> Account:
        """The account for a server whose data is, or will be, in `folder`.

        Postgres refuses to run as root. Root therefore runs it as the owner of the data, or as
        nobody where there is no data yet.
        """
        if os.geteuid() != 0:
            return cls()
        try:
            found = folder.stat()
        except FileNotFoundError:
            return cls(NOBODY, NOBODY)
        return cls(found.st_uid, found.st_gid)

    def give(self, descriptor: int) -> None:
        """Make an open file or folder this account's own."""
        if self.uid is not None and self.gid is not None:
            os.fchown(descriptor, self.uid, self.gid)


def _command(account: Account, farewell: signal.Signals, program: Sequence[str]) -> list[str]:
    uid = -1 if account.uid is None else account.uid
    gid = -1 if account.gid is None else account.gid
    head = [sys.executable, "-I", "-S", str(LAUNCH)]
    return [*head, str(os.getpid()), str(uid), str(gid), str(int(farewell)), *program]


def start(
    account: Account, program: Sequence[str], *, folder: Path, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program in `folder`; it gets SIGINT when the calling thread ends.

    The kernel ties the program to the thread that forks, not to the process, so the caller must
    be a thread that stays.
    """
    return subprocess.Popen(  # noqa: S603 - our own binaries, no shell
        _command(account, signal.SIGINT, program),
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


def run(
    account: Account, program: Sequence[str], *, folder: Path, files: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder` to its end; it dies with the calling thread."""
    return subprocess.run(  # noqa: S603 - our own binaries, no shell
        _command(account, signal.SIGKILL, program),
        cwd=folder,
        env=ENVIRONMENT,
        pass_fds=files,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
