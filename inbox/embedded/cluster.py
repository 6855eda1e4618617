"""A folder that holds one cluster: its lock, its password and its birth."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from inbox.embedded import process
from inbox.embedded.binaries import Binaries
from inbox.embedded.process import NOBODY, Account
from inbox.errors import ConfigurationError

SUPERUSER = "postgres"
LOCK_SECONDS = 1

_locks: set[int] = set()


def _forget_locks() -> None:
    for descriptor in _locks:
        os.close(descriptor)
    _locks.clear()


# A lock belongs to the open file, which a forked child shares: it must not outlive its owner there.
os.register_at_fork(after_in_child=_forget_locks)


class Cluster:
    """The files of one embedded Postgres under `folder`.

    `cluster/password` and `cluster/data` come into being together, by one rename. Nothing in
    `folder` is open to other accounts, and no folder above it has to be: programs start with
    the data as their working folder and name it as such.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.home = self.folder / "cluster"
        self.data = self.home / "data"
        self.log = self.folder / "postgres.log"
        self.notice = self.folder / "postgres.json"
        self.pid_file = self.data / "postmaster.pid"
        self._lock: int | None = None

    @property
    def account(self) -> Account:
        """Who the programs run as."""
        return Account.for_folder(self.data)

    @property
    def password(self) -> str:
        """The password of the superuser.

        Raises:
            ConfigurationError: there is no cluster yet, or this account may not read it.
        """
        try:
            return (self.home / "password").read_text(encoding="ascii")
        except OSError:
            raise ConfigurationError("The password of the embedded Postgres is missing.") from None

    def lock(self) -> None:
        """Become the only owner, until `unlock` or the end of this process.

        Raises:
            ConfigurationError: another owner is alive, or the folder cannot be used.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = self.open_private("lock", os.O_RDWR)
        except OSError:
            raise ConfigurationError("The folder of the embedded Postgres is not ours.") from None
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:  # an owner that was just killed lets go in a moment
                    time.sleep(0.05)
                    continue
                os.close(descriptor)
                raise ConfigurationError(
                    "The embedded Postgres of this data folder belongs to another running process."
                ) from None
            self._lock = descriptor
            _locks.add(descriptor)
            return

    def unlock(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            _locks.discard(self._lock)
            os.close(self._lock)
            self._lock = None

    def open_private(self, name: str, flags: int) -> int:
        """Open a file of the folder that only the folder's owner can read, and create it so.

        Raises:
            OSError: it cannot be opened, or it is a link.
        """
        descriptor = os.open(self.folder / name, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._hand_over(descriptor)
        return descriptor

    def _hand_over(self, file: int | Path) -> None:
        """Give a file to the owner of the folder: a user comes back after root was at work."""
        if os.geteuid() == 0:
            owner = self.folder.stat()
            os.chown(file, owner.st_uid, owner.st_gid)

    def create(self, binaries: Binaries) -> None:
        """Make the cluster, unless it is there. Half-made ones of earlier tries are removed.

        Raises:
            ConfigurationError: initdb failed, or the cluster is of another major version.
        """
        for half in self.folder.glob("half-made-*"):
            shutil.rmtree(half, ignore_errors=True)
        if self.home.exists():
            self._check_version(binaries)
            return
        half = Path(tempfile.mkdtemp(prefix="half-made-", dir=self.folder))
        try:
            self._initdb(binaries, half)
            half.rename(self.home)
            _sync(self.folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)

    def _check_version(self, binaries: Binaries) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except PermissionError:
            raise ConfigurationError(
                "The embedded Postgres was made by another account; start as that one."
            ) from None
        except OSError:
            raise ConfigurationError("The folder of the embedded Postgres is damaged.") from None
        if version != str(binaries.major):
            raise ConfigurationError(
                f"The data is of Postgres {version}, the programs are of {binaries.major}."
            )

    def _initdb(self, binaries: Binaries, half: Path) -> None:
        account, data = self._newborn_account(), half / "data"
        data.mkdir(mode=0o700)
        if account.uid is not None and account.gid is not None:
            os.chown(data, account.uid, account.gid)
        password = secrets.token_urlsafe(24)
        with tempfile.TemporaryFile() as handed:
            handed.write(password.encode("ascii"))
            handed.seek(0)
            account.give(handed.fileno())
            program = [
                *_named_if_nameless(),
                str(binaries.folder / "initdb"),
                f"--pgdata={data_argument(data)}",
                f"--pwfile=/dev/fd/{handed.fileno()}",
                f"--username={SUPERUSER}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            ]
            done = process.run(account, program, folder=data, files=[handed.fileno()])
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ConfigurationError(f"The embedded Postgres could not be made: {last[:200]}")
        _write_synced(half / "password", password)
        self._hand_over(half / "password")
        self._hand_over(half)
        _sync(half)

    def _newborn_account(self) -> Account:
        owner = self.folder.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
        return Account.for_folder(self.data)


def data_argument(data: Path) -> str:
    """How a program that was started in the data folder names it.

    By way of /proc it needs no right to the folders above, and has no limit of length.
    """
    return "/proc/self/cwd" if Path("/proc/self/cwd").exists() else str(data)


def _named_if_nameless() -> list[str]:
    """A prefix for initdb, which refuses an account that has no name (common in containers)."""
    import pwd

    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        if unshare := shutil.which("unshare"):
            return [unshare, "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
    return []


def _write_synced(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
