"""The files that a command line means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from inbox.errors import InvalidRequest, NoFiles


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The named files, and the files under the named folders, sorted, without hidden ones.

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
        else:
            raise InvalidRequest(f"there is no file or folder {shown(path)}")
    if not found:
        raise NoFiles("the folders hold no files; hidden ones are not taken")
    return list(found)


def shown(path: Path) -> str:
    """A path as text; bytes that are not UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


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
