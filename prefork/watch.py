"""Whether code has changed on disk since it was imported."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

INSTALLED = ("site-packages", "dist-packages")


class Watch:
    """Remembers the files of all modules that are loaded, except the standard library's.

    Of installed packages only the folders they stand in are watched: installing, upgrading and
    removing a package changes them.
    """

    def __init__(self) -> None:
        self._seen = {path: _version(path) for path in _paths()}

    def changed(self) -> bool:
        """Whether anything has changed. A thousand files take two milliseconds."""
        return any(_version(path) != seen for path, seen in self._seen.items())


def _paths() -> set[str]:
    standard = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
    own = {
        file
        for module in list(sys.modules.values())
        if isinstance(file := getattr(module, "__file__", None), str)
        and not any(folder in Path(file).parts for folder in INSTALLED)
        and not file.startswith(standard)
    }
    return own | {path for path in sys.path if path.endswith(INSTALLED)}


def _version(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - before every run, for every module
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
