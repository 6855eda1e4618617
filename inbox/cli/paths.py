"""The files that a command line means."""

from __future__ import annotations

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from inbox.errors import InvalidRequest, NoFiles
from inbox.names import display_name

STDIN = Path("-")


@contextmanager
def found_files(paths: Sequence[Path], name: str) -> Iterator[list[Path]]:
    """As `find_files`; where `-` is among them, with what comes on standard input.

    Args:
        paths: what was named.
        name: what the document on standard input is called.
    """
    if STDIN not in paths:
        yield find_files(paths)
        return
    with tempfile.TemporaryDirectory(prefix="inbox-stdin-") as folder:
        file = Path(folder, display_name(name).replace("/", "_"))
        with file.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        yield find_files([file if path == STDIN else path for path in paths])


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The named files, and the files under the named folders, sorted, without hidden ones.

    A name that is no file may be a pattern: `*`, `?`, `[…]`, and `**` for folders of any depth.

    Raises:
        InvalidRequest: a path is neither a file nor a folder that can be read.
        NoFiles: there is no file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(_walk(path))))
        elif path.is_file():
            found[path] = None
        elif matches := _matches(path):
            found.update(dict.fromkeys(matches))
        else:
            raise InvalidRequest(f"there is no file or folder {shown(path)}")
    if not found:
        raise NoFiles("the folders hold no files; hidden ones are not taken")
    return list(found)


def shown(path: Path) -> str:
    """A path as text; bytes that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def _matches(pattern: Path) -> list[Path]:
    return [
        path
        for each in sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207
        if (path := Path(each)).is_file()
    ]


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _refuse(failure: OSError) -> None:
    where = shown(Path(failure.filename))
    raise InvalidRequest(f"the folder {where} cannot be read: {failure.strerror}") from None
