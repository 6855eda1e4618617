"""SHA-256 (FIPS 180-4) of files, and of bytes as they pass."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """The digest of a file in lower-case hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Tally:
    """How many bytes passed, and their digest.

    Attributes:
        size: in bytes.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Some more bytes."""
        self._hash.update(piece)
        self.size += len(piece)

    @property
    def sha256(self) -> str:
        """The digest of all so far, in lower-case hex."""
        return self._hash.hexdigest()
